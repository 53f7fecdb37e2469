using Ingot.Bindings;

namespace Ingot.Graphs.Ops;

/// <summary>Draws tokens from logits.</summary>
public static class Sample
{
    internal static Op Op { get; } = new("sample", "logits settings random -> ids");

    /// <summary>
    /// Token ids [B] int32 drawn from logits [B, V]; settings = {temperature, top_k, top_p, min_p} fp32 and random = {seed, counter}
    /// int64 are read at run time.
    /// </summary>
    public static Tensor Apply(Tensor logits, Tensor settings, Tensor random)
    {
        var ids = logits.Graph.Temporary(DType.I32, [logits.Shape[0]]);
        logits.Graph.Emit(Op, [logits, settings, random, ids]);
        return ids;
    }
}
