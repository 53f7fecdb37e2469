namespace Ingot.Bindings;

/// <summary>An op: what is computed, whoever computes it.</summary>
/// <param name="Name">Name, for example "layer_norm".</param>
/// <param name="Description">One line: what it computes.</param>
/// <param name="Operands">Operands in order, for example "x[N,C]:T, weight[C]:T, out y[N,C]:T"; optional ones end in '?'.</param>
/// <param name="Attributes">Attributes with their defaults, for example "epsilon=1e-05".</param>
public sealed record Op(string Name, string Description, string Operands, string Attributes)
{
    /// <summary>All ops, in alphabetical order.</summary>
    public static unsafe IReadOnlyList<Op> GetAll()
    {
        int count;
        IngotException.ThrowIfFailed(NativeMethods.OpCount(&count));
        var all = new Op[count];
        for (int i = 0; i < count; i++)
        {
            NativeOpInfo info;
            IngotException.ThrowIfFailed(NativeMethods.GetOpInfo(i, &info));
            all[i] = new(NativeText.ToString(info.Name), NativeText.ToString(info.Description), NativeText.ToString(info.Operands),
                NativeText.ToString(info.Attributes));
        }

        return all;
    }
}
