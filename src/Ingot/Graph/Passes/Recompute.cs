using System.Text.RegularExpressions;
using Ingot.Graphs.Ops;

namespace Ingot.Graphs.Passes;

/// <summary>What is computed again in the backward pass instead of being kept (gradient checkpointing, Chen et al. 2016).</summary>
public enum RecomputePolicy
{
    /// <summary>Keeps everything.</summary>
    None,

    /// <summary>Computes norms, activations and SwiGLU again: cheap, and they take much memory.</summary>
    Cheap,

    /// <summary>Keeps only what goes from block to block.</summary>
    Block,
}

/// <summary>Turns a policy into the choice of calls for <see cref="Gradients.Build"/>. Call after fusion.</summary>
public static partial class Recompute
{
    /// <summary>Which outputs of which calls are computed again.</summary>
    public static Func<Call, Tensor, bool> Choose(Graph graph, RecomputePolicy policy)
    {
        switch (policy)
        {
            case RecomputePolicy.None:
                return (_, _) => false;
            case RecomputePolicy.Cheap:
                Op[] cheap = [Norm.LayerNormOp, Norm.RmsNormOp, Activation.Op, Activation.SwiGluOp, Rotary.Op];
                return (call, output) => HasShortcut(call, output) || (cheap.Contains(call.Op) && call.Op.Again?.Invoke(call) is null);
            case RecomputePolicy.Block:
                // What leaves its block is kept: the blocks start from it. A call with such an output is not run again, but
                // its other outputs may be had from that one.
                var calls = graph.Calls.Where(c => !c.Op.IsView).ToList();
                var blockOf = calls.SelectMany(c => c.Outputs.Select(o => (o.Storage, Block: BlockOf(c))))
                    .ToLookup(p => p.Storage, p => p.Block);
                var leaving = calls.SelectMany(c => c.Inputs.Where(t => blockOf[t.Storage].Any(b => b != BlockOf(c)))
                    .Select(t => t.Storage))
                    .ToHashSet();
                return (call, output) => call.Op != Head.Op && BlockOf(call).Length > 0 && !leaving.Contains(output.Storage)
                    && (!call.Outputs.Any(o => leaving.Contains(o.Storage)) || HasShortcut(call, output));
            default:
                throw new ArgumentOutOfRangeException(nameof(policy), policy, null);
        }
    }

    private static bool HasShortcut(Call call, Tensor output) => call.Op.Again?.Invoke(call)?.Output == output;

    /// <summary>The part of a label up to the block's number: "h.3" of "h.3.attn.c_attn"; empty outside of blocks.</summary>
    private static string BlockOf(Call call) => BlockLabel().Match(call.Label).Value;

    [GeneratedRegex(@"^[^\d]*\.\d+(?=\.|$)")]
    private static partial Regex BlockLabel();
}
