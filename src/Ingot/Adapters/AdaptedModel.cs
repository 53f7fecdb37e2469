using System.Text.Json.Nodes;
using Ingot.Graphs;
using Ingot.Models;

namespace Ingot.Adapters;

/// <summary>
/// A model with a low-rank adapter: the same model, written down with the adapter beside the weights of its linear layers. Its
/// parameters are the base's, under the same names, and the adapter's ("….lora_A.weight", "….lora_B.weight",
/// "….lora_magnitude_vector"); so the base with the adapter off is <see cref="Base"/> on the same parameters.
/// </summary>
public sealed record AdaptedModel : ModelConfig
{
    /// <summary>Puts an adapter on a model.</summary>
    public AdaptedModel(ModelConfig model, LoraConfig lora)
    {
        (Base, Lora) = (model, lora);
        (BeginOfText, EndOfText, OtherSettings) = (model.BeginOfText, model.EndOfText, model.OtherSettings);
        Labels = model.Labels;
    }

    /// <summary>The model without the adapter.</summary>
    public ModelConfig Base { get; }

    /// <summary>The adapter's settings.</summary>
    public LoraConfig Lora { get; }

    /// <inheritdoc/>
    public override string ModelType => Base.ModelType;

    /// <inheritdoc/>
    public override ModelTask Task => Base.Task;

    /// <inheritdoc/>
    public override int VocabularySize => Base.VocabularySize;

    /// <inheritdoc/>
    public override int MaxPositions => Base.MaxPositions;

    /// <inheritdoc/>
    public override int Layers => Base.Layers;

    /// <inheritdoc/>
    public override int Width => Base.Width;

    internal override string BodyPrefix => Base.BodyPrefix;

    internal override string TokenTableName => Base.TokenTableName;

    /// <summary>Whether a parameter is trained: the adapter's own, and those of modules that are trained as a whole.</summary>
    public bool IsTrained(string parameter) => LoraLayers.IsAdapter(parameter) || Lora.IsSaved(ModuleOf(parameter));

    /// <summary>Whether a parameter is one of the base model's.</summary>
    public static bool IsOfBase(ParameterInfo parameter) => !LoraLayers.IsAdapter(parameter.Name);

    /// <summary>The linear layers of the base model's blocks.</summary>
    public IReadOnlyList<LoraLayer> LinearLayers()
    {
        var context = new ForwardContext(new Graph(), 1, 1);
        var layers = new LoraLayers(Lora, context);
        Write(context, layers);
        return layers.All;
    }

    /// <summary>
    /// Starts DoRA's lengths at those of the base's weights, so that the model starts as it was; to be called when these are there.
    /// </summary>
    public void InitializeMagnitudes(ParameterStore parameters)
    {
        if (!Lora.UseDora)
            return;
        foreach (var layer in LinearLayers().Where(l => l.IsAdapted))
        {
            var norms = LoraWeights.Norms(layer, parameters.Read(layer.Name + ".weight"));
            parameters.Write(layer.Name + LoraLayers.Magnitude, [.. norms.Select(n => (float)n)]);
        }
    }

    /// <inheritdoc/>
    public override Tensor Forward(ForwardContext context) => Write(context, new LoraLayers(Lora, context));

    /// <inheritdoc/>
    public override Tensor HeadWeight(Graph graph) => Base.HeadWeight(graph);

    /// <inheritdoc/>
    public override Tensor? HeadBias(Graph graph) => Base.HeadBias(graph);

    internal override Tensor BeforeHead(ForwardContext context, Tensor hidden) => Base.BeforeHead(context, hidden);

    /// <inheritdoc/>
    /// <remarks>Frozen weights have no gradient: 2 FLOPs of a weight's 6 are saved.</remarks>
    public override double TrainingFlopsPerToken(long length) =>
        Base.TrainingFlopsPerToken(length)
        + DeclareParameters().Sum(p => IsTrained(p.Name) ? (IsOfBase(p) ? 0 : 6.0 * p.Elements) : -2.0 * p.Elements);

    /// <summary>Throws an <see cref="ArgumentException"/> if a name among target_modules or modules_to_save does not fit.</summary>
    public override void Validate()
    {
        Base.Validate();
        Lora.Validate();
        var linear = LinearLayers();
        var modules = Base.DeclareParameters().Select(p => ModuleOf(p.Name)).Distinct().ToList();
        var head = HeadName();
        foreach (var target in Lora.TargetModules)
        {
            if (target == LoraConfig.AllLinear || linear.Any(l => LoraConfig.EndsWith(l.Name, target)))
                continue;
            if (LoraConfig.EndsWith("lm_head", target) || modules.Any(m => m == head && LoraConfig.EndsWith(m, target)))
            {
                throw new ArgumentException(head == "lm_head"
                    ? "target_modules: lm_head gets no low-rank adapter, for head and loss are computed in one: name it in modules_to_save"
                    : $"target_modules: {target} cannot be adapted, because the head and the token table are one weight (tied)");
            }

            throw new ArgumentException($"target_modules: {NoSuch(target, linear.Select(l => l.Name), "linear layer")}");
        }

        foreach (var saved in Lora.ModulesToSave)
        {
            var matches = modules.Where(m => LoraConfig.EndsWith(m, saved)).ToList();
            if (matches.Count == 0)
                throw new ArgumentException($"modules_to_save: {NoSuch(saved, modules, "module")}");
            if (head != "lm_head" && matches.Contains(head))
            {
                throw new ArgumentException($"modules_to_save: {saved} is the head, too (tied weights), and PEFT keeps a copy of one of "
                    + "the two only: leave it out, or train the whole model");
            }

            if (linear.FirstOrDefault(l => l.IsAdapted && matches.Contains(l.Name)) is { } both)
                throw new ArgumentException($"{both.Name} is among both target_modules and modules_to_save: leave one out");
        }
    }

    private static string ModuleOf(string parameter) => parameter[..Math.Max(0, parameter.LastIndexOf('.'))];

    private static string NoSuch(string name, IEnumerable<string> modules, string kind)
    {
        var ends = modules.Select(m => m[(m.LastIndexOf('.') + 1)..]).Distinct().ToList();
        return $"the model has no {kind} '{name}'"
            + (NearestName.Find(name, ends) is { } near ? $": did you mean {near}?" : $"; there are {string.Join(", ", ends)}");
    }

    /// <summary>The base model's: the adapter has a file of its own (<see cref="AdapterFiles"/>).</summary>
    private protected override JsonObject Settings() => Base.ToJson();

    private string HeadName() => ModuleOf(Base.HeadWeight(new Graph()).Storage.Name);

    private Tensor Write(ForwardContext context, LoraLayers layers)
    {
        context.Graph.LinearAdapter = layers;
        try
        {
            return Base.Forward(context);
        }
        finally
        {
            context.Graph.LinearAdapter = null;
        }
    }
}
