using System.Text;
using Ingot.Evaluation;
using Ingot.Models;
using Ingot.Pairs;
using Ingot.Training;

namespace Ingot.Scoring;

/// <summary>How the perplexity of an encoder-decoder is measured.</summary>
public sealed record PairPerplexityOptions
{
    /// <summary>What the records hold where, and their languages if the model knows several.</summary>
    public PairFields Fields { get; init; } = new();

    /// <summary>Most tokens of a source and of a target; 0 for as many as the model has positions.</summary>
    public int MaxLength { get; init; }

    /// <summary>Whether a source that is too long loses its end, rather than being an error.</summary>
    public bool TruncateSources { get; init; }
}

/// <summary>
/// Measures the perplexity of an encoder-decoder: how likely it finds targets, given their sources. What counts is what training counts:
/// every token of a target, with the one that ends it and, if there is one, that of its language.
/// </summary>
/// <example><code>
/// using var model = LikelihoodModel.Load("runs/en-de/checkpoints/best", Device.Cpu);
/// PerplexityResult result = PairPerplexityMeter.Run(model, ["test.tsv"]);
/// Console.WriteLine($"{result.Perplexity} {result.BitsPerByte}");
/// </code></example>
public static class PairPerplexityMeter
{
    // So many batches are gathered before they run, that pairs of about one length meet.
    private const int BatchesAtOnce = 64;

    /// <summary>Measures it.</summary>
    /// <param name="model">An encoder-decoder.</param>
    /// <param name="data">Files or folders of pairs (<see cref="PairFiles"/>).</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <param name="warn">Told of records that are passed over.</param>
    /// <param name="progress">Is told how many pairs of how many are done.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <returns>With a document for each pair: its target.</returns>
    /// <exception cref="ArgumentException">The model is no encoder-decoder, or the length is out of range.</exception>
    /// <exception cref="InvalidDataException">The data is not as it must be, or a pair is too long; the message says where.</exception>
    public static PerplexityResult Run(LikelihoodModel model, IReadOnlyList<string> data, PairPerplexityOptions? options = null,
        Action<string>? warn = null, Action<long, long>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(data);
        options ??= new PairPerplexityOptions();
        if (model.Model is not EncoderDecoderConfig config)
            throw new ArgumentException($"{model.Folder} holds a {model.Model.ModelType}, which is no encoder-decoder");
        var positions = config.MaxPositions;
        var most = options.MaxLength == 0 ? positions : options.MaxLength;
        if (most < 1 || most > positions)
            throw new ArgumentException($"maxLength is {most}, but must be 1 to {positions}, the positions of the model");

        var pairs = new List<(DocumentLikelihood Document, LikelihoodWindow Window)>();
        foreach (var path in data)
        {
            var reader = new PairReader(path, options.Fields, config, model.Tokenizer);
            foreach (var pair in reader.Read(cancellationToken))
            {
                var source = Fit(pair, most, options.TruncateSources) ? pair.Source : reader.Truncate(pair.Source, most);
                int[] read = [config.DecoderStart, .. pair.Target[..^1]];
                pairs.Add((DocumentOf(pair), new LikelihoodWindow(read, pair.Target) { Source = source }));
            }

            if (reader.Empty > 0)
                warn?.Invoke($"{path}: {reader.Empty:N0} records without a source or a target were left out");
        }

        if (pairs.Count == 0)
            throw new InvalidDataException($"{string.Join(", ", data)}: there are no pairs with a source and a target");
        var done = 0;
        foreach (var part in pairs.Chunk(BatchesAtOnce * model.Rows))
        {
            var before = done;
            var likelihoods = model.Run([.. part.Select(pair => pair.Window)], count => progress?.Invoke(before + count, pairs.Count),
                cancellationToken);
            foreach (var ((document, window), likelihood) in part.Zip(likelihoods))
                (document.LogLikelihood, document.Tokens) = (likelihood, window.Count);
            done += part.Length;
        }

        return new PerplexityResult([.. pairs.Select(pair => pair.Document)], new MetricSignature().Add("of", "targets").Add("ctx", most)
            .Add("precision", model.IsBf16 ? "bf16" : "fp32").Add("version", "ingot"));
    }

    private static DocumentLikelihood DocumentOf(EncodedPair pair) => new(pair.Texts.Place)
    {
        Bytes = Encoding.UTF8.GetByteCount(pair.Texts.Target),
        Characters = pair.Texts.Target.EnumerateRunes().Count(),
    };

    /// <summary>Whether the source is as it should be; false if it is to be cut.</summary>
    private static bool Fit(EncodedPair pair, int most, bool truncate)
    {
        if (pair.Target.Length > most)
        {
            throw new InvalidDataException($"{pair.Texts.Place}: the target has {pair.Target.Length} tokens, and the model is asked for "
                + $"{most} at most: leave the pair out, or take a longer maxLength if the model has the positions");
        }

        return pair.Source.Length <= most ? true : truncate ? false : throw new InvalidDataException(
            $"{pair.Texts.Place}: the source has {pair.Source.Length} tokens, and the model reads {most} at most: leave the pair out, or "
            + "let truncatePrompt drop the source's end");
    }
}
