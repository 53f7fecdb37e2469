using Ingot.Bindings;

namespace Ingot.Lab.Cases;

/// <summary>
/// The cases by which kernels are checked: for each op a grid of sizes, odd ones among them, dtypes and attributes, with random operands
/// and what must come of them. The references are the definitions in double precision; they share nothing with the kernels.
/// </summary>
public static class OpCases
{
    /// <summary>The cases of an op, computed as they are enumerated; none for an op that has none.</summary>
    public static IEnumerable<OpCase> Of(string op) => new[] { DType.F32, DType.Bf16 }.SelectMany(type => Of(op, type));

    private static IEnumerable<OpCase> Of(string op, DType type) => op switch
    {
        "attention" or "attention_backward" => AttentionCases.Of(op, type),
        "matmul" => MatMulCases.Of(type),
        "layer_norm" or "layer_norm_backward" or "rms_norm" or "rms_norm_backward" => NormCases.Of(op, type),
        "cross_entropy" or "sample" or "embedding" or "embedding_backward" => LossCases.Of(op, type),
        "adamw" or "reduce_sum" or "sum_rows" or "sum_squares" or "update_guard" => OptimizerCases.Of(op, type),
        _ when PointwiseCases.Ops.Contains(op) => PointwiseCases.Of(op, type),
        _ => [],
    };
}
