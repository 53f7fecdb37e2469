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

    internal override EncoderDecoderConfig? EncoderDecoder => Base.EncoderDecoder;

    internal override string BodyPrefix => Base.BodyPrefix;

    internal override string TokenTableName => Base.TokenTableName;

    /// <summary>Whether a parameter is trained: the adapter's own, and those of modules that are trained as a whole.</summary>
    public bool IsTrained(string parameter) => LoraLayers.IsAdapter(parameter) || Lora.IsSaved(ModuleOf(parameter));

    /// <summary>Whether a parameter is one of the base model's.</summary>
    public static bool IsOfBase(ParameterInfo parameter) => !LoraLayers.IsAdapter(parameter.Name);

    /// <summary>The base model's linear layers, without the head's last one.</summary>
    public IReadOnlyList<LoraLayer> LinearLayers()
    {
        var context = SmallestContext(new Graph());
        var layers = new LoraLayers(Lora, context);
        Write(layers, context, Base.Forward);
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
    public override Tensor Forward(ForwardContext context) => Write(new LoraLayers(Lora, context), context, Base.Forward);

    /// <inheritdoc/>
    public override Tensor HeadWeight(Graph graph) => Base.HeadWeight(graph);

    /// <inheritdoc/>
    public override Tensor? HeadBias(Graph graph) => Base.HeadBias(graph);

    internal override Tensor BeforeHead(ForwardContext context, Tensor hidden) =>
        Write(new LoraLayers(Lora, context), context, c => Base.BeforeHead(c, hidden));

    internal override void ReadSource(ForwardContext context, long capacity) => Write(new LoraLayers(Lora, context), context, c =>
    {
        Base.ReadSource(c, capacity);
        return 0;
    });

    internal override ForwardContext SmallestContext(Graph graph) => Base.SmallestContext(graph);

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
        var parameters = Base.DeclareParameters();
        var modules = parameters.Select(p => ModuleOf(p.Name)).Distinct().ToList();
        var tied = NamesOfTable(parameters);
        foreach (var target in Lora.TargetModules)
        {
            bool Is(string module) => LoraConfig.EndsWith(module, target);
            if (target == LoraConfig.AllLinear || linear.Any(l => l.IsAdapted && Is(l.Name)))
                continue;
            if (linear.FirstOrDefault(l => Is(l.Name)) is { } both)
                throw new ArgumentException($"{both.Name} is among both target_modules and modules_to_save: leave one out");
            if (tied.Any(Is))
            {
                throw new ArgumentException(
                    $"target_modules: {target} cannot be adapted, because {string.Join(" and ", tied)} are one weight (tied)");
            }

            if (HeadName() is { } head && Is(head))
            {
                throw new ArgumentException($"target_modules: {head} gets no low-rank adapter, for head and loss are computed in one: "
                    + (Lora.IsSaved(head) ? "leave it out, it is trained whole" : "name it in modules_to_save"));
            }

            throw new ArgumentException($"target_modules: {NoSuch(target, linear.Select(l => l.Name), "linear layer")}");
        }

        foreach (var saved in Lora.ModulesToSave)
        {
            if (tied.Any(module => LoraConfig.IsPartOf(module, saved)))
            {
                throw new ArgumentException($"modules_to_save: {string.Join(" and ", tied)} are one weight (tied), of which PEFT would "
                    + $"keep a copy in one of the places only: leave {saved} out, or train the whole model");
            }

            if (!modules.Exists(module => LoraConfig.IsPartOf(module, saved)))
                throw new ArgumentException($"modules_to_save: {NoSuch(saved, modules, "module")}");
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

    /// <summary>Name of the head's last layer; null without a head.</summary>
    private string? HeadName() => Task == ModelTask.FeatureExtraction ? null : ModuleOf(Base.HeadWeight(new Graph()).Storage.Name);

    /// <summary>Names under which the token table is a part of the model, where they are more than one.</summary>
    private List<string> NamesOfTable(IReadOnlyList<ParameterInfo> parameters)
    {
        var copies = Base.TiedNames.Where(tied => tied.Value == TokenTableName && parameters.All(p => p.Name != tied.Key)).ToList();
        return copies.Count == 0 ? [] : [.. copies.Select(tied => tied.Key).Append(TokenTableName).Select(ModuleOf)];
    }

    private static T Write<T>(LoraLayers layers, ForwardContext context, Func<ForwardContext, T> part)
    {
        context.Graph.LinearAdapter = layers;
        try
        {
            return part(context);
        }
        finally
        {
            context.Graph.LinearAdapter = null;
        }
    }
}
