using System.CommandLine;
using System.Globalization;
using Ingot.Checkpoints;

namespace Ingot.Trainer;

/// <summary>The options that `ingot import` and `ingot export` share: the type of the weights and the size of files.</summary>
internal static class ExportOptions
{
    private static readonly Dictionary<string, SafetensorsDtype> Dtypes = new(StringComparer.OrdinalIgnoreCase)
    {
        ["fp32"] = SafetensorsDtype.F32,
        ["fp16"] = SafetensorsDtype.F16,
        ["bf16"] = SafetensorsDtype.BF16,
    };

    private static readonly (string Unit, long Bytes)[] Units =
    [
        ("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30), ("TiB", 1L << 40),
        ("KB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000),
    ];

    /// <summary>`--dtype`, with the types that are allowed beside auto.</summary>
    public static Option<string> Dtype(params string[] types)
    {
        var option = new Option<string>("--dtype")
        {
            Description = $"Type of the weights: auto, as they are; or {string.Join(", ", types[..^1])} or {types[^1]}.",
            HelpName = "type",
            DefaultValueFactory = _ => "auto",
        };
        option.Validators.Add(result =>
        {
            string value = result.GetValueOrDefault<string>() ?? "";
            if (value is not "auto" && !types.Contains(value, StringComparer.OrdinalIgnoreCase))
            {
                result.AddError($"--dtype {value}: it is auto, {string.Join(", ", types[..^1])} or {types[^1]}");
            }
        });
        return option;
    }

    /// <summary>`--maxShardSize`.</summary>
    public static Option<string> MaxShardSize()
    {
        var option = new Option<string>("--maxShardSize")
        {
            Description = "Most bytes of weights in one file, such as 500MB or 2GiB; more than that is split.",
            HelpName = "size",
            DefaultValueFactory = _ => "5GB",
        };
        option.Validators.Add(result =>
        {
            if (Bytes(result.GetValueOrDefault<string>() ?? "") is null)
            {
                result.AddError("--maxShardSize takes a number above 0 and a unit: 500MB, 2GiB");
            }
        });
        return option;
    }

    /// <summary>What the library is told.</summary>
    public static ModelExportOptions Read(string dtype, string maxShardSize, Action<long, long> progress) => new()
    {
        Dtype = Dtypes.TryGetValue(dtype, out SafetensorsDtype known) ? known : null,
        MaxShardSize = Bytes(maxShardSize)!.Value,
        Progress = progress,
    };

    private static long? Bytes(string text)
    {
        (string unit, long factor) = Units.FirstOrDefault(u => text.EndsWith(u.Unit, StringComparison.OrdinalIgnoreCase), ("", 1));
        return decimal.TryParse(text[..^unit.Length], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal value)
            && value * factor is >= 1 and <= long.MaxValue
            ? (long)(value * factor)
            : null;
    }
}
