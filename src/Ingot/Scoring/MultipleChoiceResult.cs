using Ingot.Evaluation;

namespace Ingot.Scoring;

/// <summary>How likely a model finds the choices of a question.</summary>
/// <param name="Place">File and line of the question.</param>
/// <param name="Answer">The right choice, counted from 0.</param>
/// <param name="LogLikelihoods">log p of each choice, given the context, in nats.</param>
/// <param name="Tokens">How many tokens each choice has.</param>
/// <param name="Characters">How many Unicode code points each has.</param>
/// <param name="Bytes">How many bytes of UTF-8 each has.</param>
public sealed record ChoiceLikelihoods(string Place, int Answer, IReadOnlyList<double> LogLikelihoods, IReadOnlyList<int> Tokens,
    IReadOnlyList<int> Characters, IReadOnlyList<int> Bytes)
{
    /// <summary>The likeliest choice.</summary>
    public int Best => BestOf(choice => LogLikelihoods[choice]);

    /// <summary>The likeliest for a character.</summary>
    public int BestByCharacters => BestOf(choice => LogLikelihoods[choice] / Characters[choice]);

    /// <summary>The likeliest for a byte.</summary>
    public int BestByBytes => BestOf(choice => LogLikelihoods[choice] / Bytes[choice]);

    // Of several that are equal, the first.
    private int BestOf(Func<int, double> score) => Enumerable.Range(0, LogLikelihoods.Count).MaxBy(score);
}

/// <summary>How often a model finds the right choice the likeliest.</summary>
/// <param name="Items">The questions.</param>
/// <param name="Signature">How it was measured.</param>
public sealed record MultipleChoiceResult(IReadOnlyList<ChoiceLikelihoods> Items, MetricSignature Signature)
{
    /// <summary>Share of questions whose right choice is the likeliest.</summary>
    public double Accuracy => Items.Average(item => item.Best == item.Answer ? 1.0 : 0);

    /// <summary>The same, log-likelihoods divided by the choice's length in characters: acc_norm of lm-eval-harness.</summary>
    public double NormalizedAccuracy => Items.Average(item => item.BestByCharacters == item.Answer ? 1.0 : 0);

    /// <summary>The same with the length in bytes of UTF-8: acc_bytes.</summary>
    public double ByteNormalizedAccuracy => Items.Average(item => item.BestByBytes == item.Answer ? 1.0 : 0);

    /// <summary>The scores as <c>ingot evaluate</c> prints them.</summary>
    public IReadOnlyList<MetricScore> ToScores() =>
        [Score("acc", Accuracy), Score("acc_norm", NormalizedAccuracy), Score("acc_bytes", ByteNormalizedAccuracy)];

    private MetricScore Score(string name, double share)
    {
        var measures = new Dictionary<string, double> { ["items"] = Items.Count };
        var verbose = $"items = {Items.Count}";
        if (Items.Count > 1)
        {
            // Of a mean of zeros and ones, with their sample deviation.
            measures["stderr"] = Math.Sqrt(share * (1 - share) / (Items.Count - 1));
            verbose = $"stderr = {PythonText.Fixed(measures["stderr"], 4)} {verbose}";
        }

        return new MetricScore(name, share, Signature) { Verbose = $"({verbose})", Measures = measures, MoreDecimals = 2 };
    }
}
