using Ingot.Bindings;
using Ingot.Checkpoints;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Tokenizers;

namespace Ingot.Generation;

/// <summary>Writes text with a trained model.</summary>
/// <example><code>
/// using var generator = TextGenerator.Load("runs/jargon/checkpoints/best");
/// foreach (var piece in generator.Stream("hacker: n.", new GenerationOptions { MaxNewTokens = 100 }))
///     Console.Write(piece);
/// </code></example>
public sealed class TextGenerator : IDisposable
{
    private readonly ParameterStore _parameters;
    private readonly Decoder _decoder;

    private TextGenerator(ModelConfig model, ParameterStore parameters, Tokenizer tokenizer)
    {
        (Model, _parameters, Tokenizer) = (model, parameters, tokenizer);
        _decoder = new Decoder(model, parameters);
    }

    /// <summary>The model.</summary>
    public ModelConfig Model { get; }

    /// <summary>The model's tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>Loads a model folder: a checkpoint, or one in Hugging Face's layout.</summary>
    /// <exception cref="IOException">A file is missing or cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file's content is wrong; the message names file and place.</exception>
    /// <param name="folder">The folder.</param>
    /// <param name="computeType">dtype of computations: F32 or Bf16.</param>
    /// <param name="device">Where to compute; the CPU if it is null.</param>
    public static TextGenerator Load(string folder, DType computeType = DType.F32, Device? device = null)
    {
        var tokenizer = Tokenizer.Load(folder);
        var (model, parameters) = ModelFiles.LoadModel(folder, device ?? Device.Cpu, computeType, training: false);
        if (tokenizer.VocabularySize > model.VocabularySize)
        {
            parameters.Dispose();
            throw new InvalidDataException(
                $"{folder}: the tokenizer has {tokenizer.VocabularySize} tokens, the model only {model.VocabularySize}; they do not belong together");
        }

        return new TextGenerator(model, parameters, tokenizer);
    }

    /// <summary>
    /// What the model writes after <paramref name="prompt"/>, piece by piece, without the prompt, and up to the first of
    /// <see cref="GenerationOptions.Stop"/>.
    /// </summary>
    public IEnumerable<string> Stream(string prompt, GenerationOptions options, CancellationToken cancellationToken = default) =>
        Write(_decoder, Tokenizer, prompt, options, cancellationToken);

    /// <inheritdoc/>
    public void Dispose()
    {
        _decoder.Dispose();
        _parameters.Dispose();
    }

    internal static IEnumerable<string> Write(Decoder decoder, Tokenizer tokenizer, string prompt, GenerationOptions options,
        CancellationToken cancellationToken = default)
    {
        options.Validate();
        var pieces = Pieces(decoder, tokenizer, prompt, options, cancellationToken);
        return options.Stop.Count > 0 ? UpTo(options.Stop, pieces) : pieces;
    }

    private static IEnumerable<string> UpTo(IReadOnlyList<string> stop, IEnumerable<string> pieces)
    {
        var stops = new StopStrings(stop);
        foreach (var piece in pieces)
        {
            var text = stops.Append(piece);
            if (text.Length > 0)
                yield return text;
            if (stops.Found)
                yield break;
        }

        var rest = stops.Finish();
        if (rest.Length > 0)
            yield return rest;
    }

    private static IEnumerable<string> Pieces(Decoder decoder, Tokenizer tokenizer, string prompt, GenerationOptions options,
        CancellationToken cancellationToken)
    {
        var ids = tokenizer.Encode(prompt);
        if (ids.Length == 0)
            ids = [tokenizer.EndOfTextId ?? 0];
        // A token may be a part of a character: the pieces are whole ones.
        var text = new IncrementalDecoder(tokenizer);
        foreach (var id in decoder.Write(ids, options, tokenizer.EndOfTextId))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var piece = text.Append(id);
            if (piece.Length > 0)
                yield return piece;
        }

        var rest = text.Finish();
        if (rest.Length > 0)
            yield return rest;
    }
}
