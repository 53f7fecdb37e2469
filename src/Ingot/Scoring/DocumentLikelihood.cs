namespace Ingot.Scoring;

/// <summary>How likely a model finds a document, or the target of a pair.</summary>
/// <param name="Place">Where it stands: its file, or file and number.</param>
public sealed record DocumentLikelihood(string Place)
{
    /// <summary>log p of the tokens that count, in nats.</summary>
    public double LogLikelihood { get; internal set; }

    /// <summary>How many count.</summary>
    public long Tokens { get; internal set; }

    /// <summary>Bytes of UTF-8 that these tokens write; 0 where answers are scored, for their special tokens write none.</summary>
    public long Bytes { get; internal set; }

    /// <summary>The same in Unicode code points.</summary>
    public long Characters { get; internal set; }

    /// <summary>exp of the mean negative log-likelihood of a token.</summary>
    public double Perplexity => Math.Exp(-LogLikelihood / Tokens);
}
