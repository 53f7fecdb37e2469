using Ingot.Models;
using Ingot.Models.T5;
using Ingot.Models.Transformer;

namespace Ingot.Tests.Graphs;

/// <summary>A pair for the reference: what the encoder reads, what the decoder is given, and what it should write.</summary>
internal sealed record ReferencePair(int[] Source, int[] Tokens, int[] Targets);

/// <summary>An encoder-decoder in plain double precision.</summary>
internal abstract class ReferenceEncoderDecoder
{
    /// <summary>That of the model's family.</summary>
    public static ReferenceEncoderDecoder Of(EncoderDecoderConfig model, IReadOnlyDictionary<string, double[]> parameters) => model switch
    {
        TransformerConfig c => new ReferenceTransformer(c, parameters),
        T5Config c => new ReferenceT5(c, parameters),
        _ => throw new ArgumentException(model.ModelType),
    };

    /// <summary>What the rows of the token table are replaced with for the tokens of the source and of the text; null for these.</summary>
    public (double[][] Source, double[][] Tokens)? Embeddings { get; set; }

    /// <summary>
    /// Attention so far, the encoder's before the decoder's, of which each layer's own comes before that over the source: probabilities by
    /// head, query and the keys that it sees.
    /// </summary>
    public List<double[][][]> Attentions { get; } = [];

    /// <summary>Logits behind each of the decoder's tokens.</summary>
    public abstract double[][] Logits(int[] source, int[] tokens);

    /// <summary>Mean cross-entropy of all targets that are not −100.</summary>
    public double Loss(IReadOnlyList<ReferencePair> pairs, double smoothing = 0)
    {
        var (sum, count) = (0.0, 0);
        foreach (var pair in pairs)
        {
            var logits = Logits(pair.Source, pair.Tokens);
            for (var t = 0; t < pair.Targets.Length; t++)
            {
                if (pair.Targets[t] == -100)
                    continue;
                var max = logits[t].Max();
                var log = max + Math.Log(logits[t].Sum(v => Math.Exp(v - max)));
                sum += ((1 - smoothing) * (log - logits[t][pair.Targets[t]])) + (smoothing * logits[t].Average(v => log - v));
                count++;
            }
        }

        return sum / count;
    }
}
