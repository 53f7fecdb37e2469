using System.CommandLine;
using Ingot.Bindings;

namespace Ingot.Trainer;

/// <summary>The option --precision of commands that take no recipe.</summary>
internal static class PrecisionOption
{
    public static Option<string> Create() => new Option<string>("--precision")
    {
        Description = "Precision of computations.",
        DefaultValueFactory = _ => "fp32",
    }.AcceptOnlyFromAmong("fp32", "bf16");

    /// <summary>The dtype of that name.</summary>
    public static DType Find(string name) => name == "bf16" ? DType.Bf16 : DType.F32;
}
