using Ingot.Adapters;
using Ingot.Checkpoints;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Tokenizers;

namespace Ingot.Training;

/// <summary>What a run starts from: a new model, or one of a folder. A resumed run has the model of its checkpoint.</summary>
internal sealed class StartingPoint : IDisposable
{
    private readonly ModelTensors? _tensors;

    private StartingPoint(ModelConfig model, ModelTensors? tensors, string? folder = null) =>
        (Model, _tensors, Folder) = (model, tensors, folder);

    /// <summary>The model to train.</summary>
    public ModelConfig Model { get; }

    /// <summary>Folder that the model is from; null if it is new, or that of the checkpoint.</summary>
    public string? Folder { get; }

    /// <summary>Finds it.</summary>
    /// <param name="options">The run's options.</param>
    /// <param name="checkpoint">Folder of the checkpoint that is resumed; null for a new run.</param>
    /// <param name="tokenizer">The run's tokenizer.</param>
    /// <param name="observer">Who is warned.</param>
    public static StartingPoint Find(TrainingOptions options, string? checkpoint, Tokenizer tokenizer, ITrainingObserver observer)
    {
        if (options.LoraRank > 0 && !BaseModel.IsFolder(options.Model))
        {
            throw new TrainingOptionsException(
                [$"loraRank adapts a model that has been trained, and {options.Model} is a new one: name a model's folder"]);
        }

        if (!BaseModel.IsFolder(options.Model))
            return new StartingPoint(ModelFactory.Create(options, tokenizer.VocabularySize, tokenizer.EndOfTextId), tensors: null);
        if (checkpoint is not null && options.LoraRank == 0)
            return new StartingPoint(BaseModel.Continue(ModelFiles.LoadConfig(checkpoint), options, options.Model), tensors: null);
        // An adapter goes on with the base that it began on, also if a run is the base and has got further.
        var folder = checkpoint is null
            ? Path.GetFullPath(ModelFolder.Find(options.Model, observer.OnWarning))
            : AdapterFiles.FindBase(checkpoint);
        var tensors = ModelTensors.Open(folder);
        try
        {
            var model = BaseModel.Continue(tensors.Model, options, options.Model);
            if (tokenizer.VocabularySize > model.VocabularySize)
            {
                throw new InvalidDataException($"{options.Model}: the tokenizer has {tokenizer.VocabularySize} tokens, the model only "
                    + $"{model.VocabularySize}; they do not belong together");
            }

            return new StartingPoint(ModelFactory.Adapt(model, options), tensors, folder);
        }
        catch
        {
            tensors.Dispose();
            throw;
        }
    }

    /// <summary>Gives the parameters their values at step 0.</summary>
    public void Fill(ParameterStore parameters, ulong seed)
    {
        parameters.Initialize(seed);
        if (_tensors is not null)
            ModelFiles.Load(_tensors, parameters);
        (Model as AdaptedModel)?.InitializeMagnitudes(parameters);
    }

    /// <inheritdoc/>
    public void Dispose() => _tensors?.Dispose();
}
