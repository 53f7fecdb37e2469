using Ingot.Bindings;
using Ingot.Lab.Cases;

namespace Ingot.Lab;

/// <summary>A case that a kernel did not pass.</summary>
/// <param name="Case">The case.</param>
/// <param name="Problem">What was wrong.</param>
/// <param name="BrokeRules">Whether it failed, threw or wrote where it must not, rather than being inexact.</param>
public sealed record FailedCase(string Case, string Problem, bool BrokeRules);

/// <summary>What came of checking a kernel.</summary>
/// <param name="Kernel">The kernel.</param>
/// <param name="Passed">Cases that it passed.</param>
/// <param name="Refused">Cases that it does not support.</param>
/// <param name="WorstFp32">Largest relative error by norm in fp32; null if no such case ran.</param>
/// <param name="WorstBf16">The same in bf16.</param>
/// <param name="Failures">Cases that it did not pass.</param>
public sealed record KernelCheckResult(
    Kernel Kernel, int Passed, int Refused, double? WorstFp32, double? WorstBf16, IReadOnlyList<FailedCase> Failures);

/// <summary>
/// Checks kernels against references in double precision, with one thread and with several, in checked programs: a kernel that writes
/// outside of its outputs fails, too.
/// </summary>
public static class KernelCheck
{
    /// <summary>Checks a kernel by all cases of its op.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="device">A device of its kind.</param>
    /// <param name="cases">The cases, <see cref="OpCases.Of(string)"/>.</param>
    /// <param name="announce">Is told of each step before it is taken, so that somebody knows where the process died if it does.</param>
    public static KernelCheckResult Run(Kernel kernel, Device device, IEnumerable<OpCase> cases, Action<string>? announce = null)
    {
        var (passed, refused) = (0, 0);
        var worst = new Dictionary<DType, double>();
        var failures = new List<FailedCase>();
        foreach (var c in cases)
        {
            try
            {
                announce?.Invoke($"supports, asked about {c}");
                if (CaseRun.Refusal(c, device, kernel.Variant).Length > 0)
                {
                    refused++;
                    continue;
                }

                announce?.Invoke($"computing {c}");
                var error = CaseRun.Run(c, device, kernel.Variant);
                worst[c.Type] = Math.Max(worst.GetValueOrDefault(c.Type), error.Error);
                if (error.Error <= c.Tolerance)
                    passed++;
                else
                    failures.Add(new FailedCase(c.ToString(), FormattableString.Invariant(
                        $"{error.Operand} is off by {error.Error:0.0e+0}, more than {c.Tolerance:0e+0}: {error.Worst}"), false));
            }
            catch (IngotException e)
            {
                failures.Add(new FailedCase(c.ToString(), e.Message, true));
            }
        }

        return new KernelCheckResult(kernel, passed, refused, worst.TryGetValue(DType.F32, out var fp32) ? fp32 : null,
            worst.TryGetValue(DType.Bf16, out var bf16) ? bf16 : null, failures);
    }
}
