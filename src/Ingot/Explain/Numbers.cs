using Ingot.Bindings;
using Ingot.Graphs;

namespace Ingot.Explain;

/// <summary>Numbers for inputs of either dtype.</summary>
internal static class Numbers
{
    /// <summary>Gives an input of F32 or BF16 its values; for BF16 they are rounded to nearest.</summary>
    public static void SetNumbers(this CompiledGraph program, string name, DType dtype, float[] values)
    {
        if (dtype == DType.Bf16)
            program.Set<ushort>(name, Array.ConvertAll(values, Bf16.Round));
        else
            program.Set<float>(name, values);
    }
}
