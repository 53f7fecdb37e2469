using Ingot.Checkpoints;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Tokenizers;

namespace Ingot.Training;

/// <summary>What a run starts from: a new model, or one of a folder. A resumed run has the model of its checkpoint.</summary>
internal sealed class StartingPoint : IDisposable
{
    private readonly ModelTensors? _tensors;

    private StartingPoint(ModelConfig model, ModelTensors? tensors) => (Model, _tensors) = (model, tensors);

    /// <summary>The model to train.</summary>
    public ModelConfig Model { get; }

    /// <summary>Finds it.</summary>
    /// <param name="options">The run's options.</param>
    /// <param name="checkpoint">Folder of the checkpoint that is resumed; null for a new run.</param>
    /// <param name="tokenizer">The run's tokenizer.</param>
    /// <param name="observer">Who is warned.</param>
    public static StartingPoint Find(TrainingOptions options, string? checkpoint, Tokenizer tokenizer, ITrainingObserver observer)
    {
        if (!BaseModel.IsFolder(options.Model))
            return new StartingPoint(ModelFactory.Create(options, tokenizer.VocabularySize, tokenizer.EndOfTextId), tensors: null);
        if (checkpoint is not null)
            return new StartingPoint(BaseModel.Continue(ModelFiles.LoadConfig(checkpoint), options, options.Model), tensors: null);
        var tensors = ModelTensors.Open(ModelFolder.Find(options.Model, observer.OnWarning));
        try
        {
            var model = BaseModel.Continue(tensors.Model, options, options.Model);
            if (tokenizer.VocabularySize > model.VocabularySize)
            {
                throw new InvalidDataException($"{options.Model}: the tokenizer has {tokenizer.VocabularySize} tokens, the model only "
                    + $"{model.VocabularySize}; they do not belong together");
            }

            return new StartingPoint(model, tensors);
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
    }

    /// <inheritdoc/>
    public void Dispose() => _tensors?.Dispose();
}
