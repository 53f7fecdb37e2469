using System.Globalization;
using System.Text;

namespace Ingot.Chat.Templates;

/// <summary>The functions that every template can call: Jinja2's, and those that Hugging Face's libraries add.</summary>
internal static class Globals
{
    private const int LongestRange = 100_000; // As in Jinja2's sandbox.

    private static readonly Callable[] All =
    [
        new("namespace", MakeNamespace),
        new("range", Range),
        new("dict", MakeDictionary),
        new("raise_exception", (context, arguments) =>
            throw context.Error($"the template refuses: {Values.ToText(context, arguments.Bind(context, 1, "message")[0])}")),
        new("strftime_now", (context, arguments) => FormatNow(context, Values.ToText(context, arguments.Bind(context, 1, "format")[0]))),
        new("joiner", MakeJoiner),
    ];

    /// <summary>A scope with all of them.</summary>
    public static Scope MakeScope()
    {
        var scope = new Scope(null);
        foreach (Callable function in All)
        {
            scope.Set(function.Name, function);
        }

        return scope;
    }

    private static NamespaceValue MakeNamespace(RenderContext context, Arguments arguments)
    {
        var result = new NamespaceValue();
        foreach ((string name, object? value) in MakeDictionary(context, arguments))
        {
            result.Attributes[name] = value;
        }

        return result;
    }

    private static OrderedDictionary<string, object?> MakeDictionary(RenderContext context, Arguments arguments)
    {
        var result = new OrderedDictionary<string, object?>(StringComparer.Ordinal);
        foreach (object? source in arguments.Positional)
        {
            if (source is not OrderedDictionary<string, object?> dictionary)
            {
                throw context.Error($"{arguments.Of} wants dictionaries or names with values, not {Values.Describe(source)}");
            }

            context.Charge(dictionary.Count);
            foreach ((string key, object? value) in dictionary)
            {
                result[key] = value;
            }
        }

        foreach ((string name, object? value) in arguments.Named)
        {
            result[name] = value;
        }

        return result;
    }

    private static ListValue Range(RenderContext context, Arguments arguments)
    {
        object?[] bound = arguments.Bind(context, 1, "start", "stop", "step");
        long Number(object? value) => Values.TryNumber(value, out object? number) && number is long whole
            ? whole : throw context.Error($"range wants whole numbers, not {Values.Describe(value)}");
        bool onlyStop = ReferenceEquals(bound[1], Arguments.Missing);
        long start = onlyStop ? 0 : Number(bound[0]);
        long stop = Number(bound[onlyStop ? 0 : 1]);
        long step = ReferenceEquals(bound[2], Arguments.Missing) ? 1 : Number(bound[2]);
        if (step == 0)
        {
            throw context.Error("range cannot have the step 0");
        }

        Int128 distance = step > 0 ? (Int128)stop - start : (Int128)start - stop;
        Int128 stride = Int128.Abs(step);
        Int128 count = distance <= 0 ? 0 : (distance + stride - 1) / stride;
        if (count > LongestRange)
        {
            throw context.Error($"range gives {count} numbers; the limit is {LongestRange}");
        }

        context.Charge((long)count);
        return new ListValue([.. Enumerable.Range(0, (int)count).Select(i => (object?)(start + (i * step)))]);
    }

    // Gives nothing when first called, then the separator.
    private static Callable MakeJoiner(RenderContext context, Arguments arguments)
    {
        object? separator = arguments.Bind(context, 0, "sep")[0];
        bool used = false;
        return new Callable("joiner", (_, _) =>
        {
            object? result = used ? ReferenceEquals(separator, Arguments.Missing) ? ", " : separator : "";
            used = true;
            return result;
        });
    }

    private static string FormatNow(RenderContext context, string format)
    {
        DateTimeOffset now = context.Clock.GetLocalNow();
        var result = new StringBuilder();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                result.Append(format[i]);
                continue;
            }

            // %-d and its like leave out zeros at the start.
            bool noZeros = format[i + 1] == '-' && i + 2 < format.Length;
            char directive = format[i += noZeros ? 2 : 1];
            string part = directive switch
            {
                'Y' => Written("yyyy"),
                'y' => Written("yy"),
                'm' => Written("MM"),
                'd' => Written("dd"),
                'e' => now.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
                'H' => Written("HH"),
                'I' => Written("hh"),
                'M' => Written("mm"),
                'S' => Written("ss"),
                'f' => Written("ffffff"),
                'j' => now.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
                'p' => Written("tt"),
                'A' => Written("dddd"),
                'a' => Written("ddd"),
                'B' => Written("MMMM"),
                'b' or 'h' => Written("MMM"),
                'u' => now.DayOfWeek == DayOfWeek.Sunday ? "7" : ((int)now.DayOfWeek).ToString(CultureInfo.InvariantCulture),
                'w' => ((int)now.DayOfWeek).ToString(CultureInfo.InvariantCulture),
                'F' => Written("yyyy-MM-dd"),
                'D' => Written("MM/dd/yy"),
                'T' => Written("HH:mm:ss"),
                'R' => Written("HH:mm"),
                'n' => "\n",
                't' => "\t",
                '%' => "%",
                'Z' or 'z' => "", // As Python's, which has no zone here.
                _ => throw context.Error($"strftime_now does not know %{directive}"),
            };
            result.Append(noZeros && part.Length > 1 ? part[..^1].TrimStart('0', ' ') + part[^1] : part);
        }

        return result.ToString();

        string Written(string pattern) => now.ToString(pattern, CultureInfo.InvariantCulture);
    }
}
