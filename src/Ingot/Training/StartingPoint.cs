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
    /// <param name="task">What the model's head is for.</param>
    /// <param name="labels">What a classifier chooses from.</param>
    /// <param name="observer">Who is warned.</param>
    public static StartingPoint Find(TrainingOptions options, string? checkpoint, Tokenizer tokenizer, ModelTask task,
        IReadOnlyList<string> labels, ITrainingObserver observer)
    {
        if (task.IsClassification() && labels.Count < 2)
        {
            throw new InvalidDataException($"the data has {labels.Count} label{(labels.Count == 1 ? $", \"{labels[0]}\"" : "s")}: "
                + "a classifier needs two or more to choose from");
        }

        if (options.LoraRank > 0 && !BaseModel.IsFolder(options.Model))
        {
            throw new TrainingOptionsException(
                [$"loraRank adapts a model that has been trained, and {options.Model} is a new one: name a model's folder"]);
        }

        if (!BaseModel.IsFolder(options.Model))
        {
            var created = ModelFactory.Create(options, tokenizer.VocabularySize, tokenizer.EndOfTextId ?? tokenizer.EosId,
                tokenizer.PadId, labels);
            return new StartingPoint(created, tensors: null);
        }

        if (checkpoint is not null && options.LoraRank == 0)
            return new StartingPoint(BaseModel.Continue(ModelFiles.LoadConfig(checkpoint), options, options.Model), tensors: null);
        // An adapter goes on with the base that it began on, also if a run is the base and has got further.
        var folder = checkpoint is null
            ? Path.GetFullPath(ModelFolder.Find(options.Model, observer.OnWarning))
            : AdapterFiles.FindBase(checkpoint);
        var tensors = ModelTensors.Open(folder, saved => saved.ForTask(task, labels));
        if (tensors.Missing.Count > 0)
        {
            observer.OnWarning($"{options.Model} has no head for {task.Name()} with these labels: new weights for "
                + string.Join(", ", tensors.Missing));
        }

        try
        {
            var model = BaseModel.Continue(tensors.Model, options, options.Model);
            if (tokenizer.VocabularySize > model.VocabularySize)
            {
                throw new InvalidDataException($"{options.Model}: the tokenizer has {tokenizer.VocabularySize} tokens, the model only "
                    + $"{model.VocabularySize}; they do not belong together");
            }

            return new StartingPoint(ModelFactory.Adapt(model, options, tensors.Missing), tensors, folder);
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
