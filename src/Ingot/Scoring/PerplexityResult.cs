using Ingot.Evaluation;

namespace Ingot.Scoring;

/// <summary>The perplexity of a model on some data.</summary>
/// <param name="Documents">The documents with a token that counts; one for all where they follow one another.</param>
/// <param name="Signature">How it was measured.</param>
public sealed record PerplexityResult(IReadOnlyList<DocumentLikelihood> Documents, MetricSignature Signature)
{
    /// <summary>log p of all tokens that count, in nats.</summary>
    public double LogLikelihood => Documents.Sum(document => document.LogLikelihood);

    /// <summary>How many tokens count.</summary>
    public long Tokens => Documents.Sum(document => document.Tokens);

    /// <summary>Bytes of UTF-8 that they write; 0 where answers are scored.</summary>
    public long Bytes => Documents.Sum(document => document.Bytes);

    /// <summary>Unicode code points that they write; 0 where answers are scored.</summary>
    public long Characters => Documents.Sum(document => document.Characters);

    /// <summary>exp of the mean negative log-likelihood of a token.</summary>
    public double Perplexity => Math.Exp(-LogLikelihood / Tokens);

    /// <summary>Negative log-likelihood in bits for each byte of text: it can be compared between tokenizers.</summary>
    public double BitsPerByte => -LogLikelihood / (Math.Log(2) * Bytes);

    /// <summary>The same for each character.</summary>
    public double BitsPerCharacter => -LogLikelihood / (Math.Log(2) * Characters);

    /// <summary>
    /// Mean of the documents' own perplexities, as the library evaluate has it; it weighs short documents as much as long ones.
    /// </summary>
    public double MeanPerplexity => Documents.Average(document => document.Perplexity);

    /// <summary>The score as <c>ingot evaluate</c> prints it.</summary>
    public MetricScore ToScore()
    {
        var measures = new Dictionary<string, double>
        {
            ["nll"] = -LogLikelihood / Tokens,
            ["log_likelihood"] = LogLikelihood,
            ["tokens"] = Tokens,
            ["documents"] = Documents.Count,
            ["mean_perplexity"] = MeanPerplexity,
        };
        var verbose = $"nll = {PythonText.Fixed(-LogLikelihood / Tokens, 4)} tokens = {Tokens}";
        if (Bytes > 0)
        {
            measures["bits_per_byte"] = BitsPerByte;
            measures["bits_per_character"] = BitsPerCharacter;
            measures["bytes"] = Bytes;
            measures["characters"] = Characters;
            verbose = $"bits/byte = {PythonText.Fixed(BitsPerByte, 4)} bits/char = {PythonText.Fixed(BitsPerCharacter, 4)} "
                + $"{verbose} bytes = {Bytes}";
        }

        if (Documents.Count > 1)
            verbose += $" documents = {Documents.Count} mean of theirs = {PythonText.Fixed(MeanPerplexity, 2)}";
        return new MetricScore("perplexity", Perplexity, Signature) { Verbose = $"({verbose})", Measures = measures };
    }
}
