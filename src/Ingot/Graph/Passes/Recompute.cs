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
    /// <summary>Which calls are computed again.</summary>
    public static Func<Call, bool> Choose(Graph graph, RecomputePolicy policy)
    {
        switch (policy)
        {
            case RecomputePolicy.None:
                return _ => false;
            case RecomputePolicy.Cheap:
                Op[] cheap = [Norm.LayerNormOp, Norm.RmsNormOp, Activation.Op, Activation.SwiGluOp, Rotary.Op];
                return call => cheap.Contains(call.Op) && call.Find2("residual") is null;
            case RecomputePolicy.Block:
                // A call whose result leaves its block is kept: the blocks start from it.
                var blockOf = graph.Calls.Where(c => !c.Op.IsView).SelectMany(c => c.Outputs.Select(o => (o.Storage, Block: BlockOf(c))))
                    .ToLookup(p => p.Storage, p => p.Block);
                var leaving = graph.Calls.Where(c => !c.Op.IsView)
                    .SelectMany(c => c.Inputs.Where(t => blockOf[t.Storage].Any(b => b != BlockOf(c))).Select(t => t.Storage)).ToHashSet();
                return call => !call.Op.IsView && call.Op != Head.Op && BlockOf(call).Length > 0
                    && !call.Outputs.Any(o => leaving.Contains(o.Storage));
            default:
                throw new ArgumentOutOfRangeException(nameof(policy), policy, null);
        }
    }

    /// <summary>The part of a label up to the block's number: "h.3" of "h.3.attn.c_attn"; empty outside of blocks.</summary>
    private static string BlockOf(Call call) => BlockLabel().Match(call.Label).Value;

    [GeneratedRegex(@"^[^\d]*\.\d+(?=\.|$)")]
    private static partial Regex BlockLabel();

    private static Tensor? Find2(this Call call, string operand) => call.Op.Operands.Contains(operand) ? call.Find(operand) : null;
}
