namespace Ingot.Explain;

/// <summary>What attends to what.</summary>
public enum AttentionPart
{
    /// <summary>Tokens of a decoder to those up to themselves.</summary>
    Decoder,

    /// <summary>Tokens of an encoder to all of its tokens.</summary>
    Encoder,

    /// <summary>Tokens of a decoder to the tokens of the source.</summary>
    Cross,
}

/// <summary>The attention probabilities of a layer: softmax(q kᵀ · scale + bias + mask), Vaswani et al. 2017, equation 1.</summary>
/// <param name="Part">What attends to what.</param>
/// <param name="Layer">The layer, counted from 0.</param>
/// <param name="Heads">Number of heads.</param>
/// <param name="Queries">Number of tokens that attend.</param>
/// <param name="Keys">Number of tokens that are attended to.</param>
/// <param name="Probabilities">[heads, queries, keys]; every row of keys sums to 1, and what a query does not see is 0.</param>
public sealed record AttentionMap(AttentionPart Part, int Layer, int Heads, int Queries, int Keys, float[] Probabilities)
{
    /// <summary>How much of a query's attention goes to a key in one head.</summary>
    public double this[int head, int query, int key] => Row(head, query)[key];

    /// <summary>The probabilities of a query in one head, over the keys.</summary>
    public ReadOnlySpan<float> Row(int head, int query) => Probabilities.AsSpan(((head * Queries) + query) * Keys, Keys);

    /// <summary>Mean over the heads, [queries, keys].</summary>
    public double[] Mean()
    {
        var mean = new double[Queries * Keys];
        for (var i = 0; i < Probabilities.Length; i++)
            mean[i % mean.Length] += Probabilities[i] / (double)Heads;
        return mean;
    }
}
