using System.Globalization;
using System.Text;

namespace Ingot.Chat.Templates;

/// <summary>
/// The filters of templates: <c>value | name(arguments)</c>, as in Jinja2, but <c>tojson</c> as in Hugging Face's libraries.
/// </summary>
internal static class Filters
{
    private delegate object? Filter(RenderContext context, object? value, Arguments arguments);

    private static readonly Dictionary<string, Filter> All = new(StringComparer.Ordinal)
    {
        ["abs"] = (c, v, a) => Absolute(c, v),
        ["attr"] = (c, v, a) =>
            Access.TryAttribute(c, v, Text(c, a.Bind(c, 1, "name")[0]), out object? found) ? found : new Undefined("attribute"),
        ["capitalize"] = (c, v, a) => PythonText.Capitalize(Text(c, v)),
        ["count"] = (c, v, a) => Values.Length(c, v),
        ["d"] = Default,
        ["default"] = Default,
        ["dictsort"] = DictionarySort,
        ["e"] = (c, v, a) => Escape(c, Text(c, v)),
        ["escape"] = (c, v, a) => Escape(c, Text(c, v)),
        ["first"] = (c, v, a) => Values.Elements(c, v) is [var first, ..] ? first : new Undefined("the first element of nothing"),
        ["float"] = (c, v, a) => ToFloat(c, v, a.Bind(c, 0, "default")[0]),
        ["indent"] = Indent,
        ["int"] = ToInteger,
        ["items"] = (c, v, a) => v is OrderedDictionary<string, object?> dictionary ? DictionaryMethods.Items(dictionary)
            : v is Undefined ? new ListValue([]) : throw c.Error($"the filter 'items' wants a dictionary, not {Values.Describe(v)}"),
        ["join"] = (c, v, a) => Join(c, v, a),
        ["last"] = (c, v, a) => Values.Elements(c, v) is [.., var last] ? last : new Undefined("the last element of nothing"),
        ["length"] = (c, v, a) => Values.Length(c, v),
        ["list"] = (c, v, a) => new ListValue(Values.Elements(c, v)),
        ["lower"] = (c, v, a) => Text(c, v).ToLowerInvariant(),
        ["map"] = (c, v, a) => Map(c, v, a),
        ["max"] = (c, v, a) => Extreme(c, v, a, 1),
        ["min"] = (c, v, a) => Extreme(c, v, a, -1),
        ["reject"] = (c, v, a) => Select(c, v, a, byAttribute: false, keep: false),
        ["rejectattr"] = (c, v, a) => Select(c, v, a, byAttribute: true, keep: false),
        ["replace"] = Replace,
        ["reverse"] = (c, v, a) => v is string text
            ? string.Concat(Enumerable.Reverse(PythonText.CodePoints(text))) : new ListValue([.. Values.Elements(c, v).Reverse()]),
        ["round"] = Round,
        ["safe"] = (c, v, a) => v,
        ["select"] = (c, v, a) => Select(c, v, a, byAttribute: false, keep: true),
        ["selectattr"] = (c, v, a) => Select(c, v, a, byAttribute: true, keep: true),
        ["sort"] = Sort,
        ["string"] = (c, v, a) => Text(c, v),
        ["sum"] = Sum,
        ["title"] = (c, v, a) => Title(Text(c, v)),
        ["tojson"] = ToJson,
        ["trim"] = (c, v, a) => PythonText.Strip(Text(c, v), Given(a.Bind(c, 0, "chars")[0]) as string, start: true, end: true),
        ["unique"] = Unique,
        ["upper"] = (c, v, a) => Text(c, v).ToUpperInvariant(),
    };

    /// <summary>Whether there is such a filter.</summary>
    public static bool Exists(string name) => All.ContainsKey(name);

    /// <summary>Applies a filter.</summary>
    /// <exception cref="TemplateException">There is no such filter, or it cannot take the value or its arguments.</exception>
    public static object? Apply(RenderContext context, string name, object? value, Arguments arguments)
    {
        context.Charge(value is string text ? (text.Length / 4) + 1 : value is ListValue list ? list.Items.Count + 1 : 1);
        return All.TryGetValue(name, out Filter? filter)
            ? filter(context, value, arguments)
            : throw context.Error($"the filter '{name}' is not supported: there are {string.Join(", ", All.Keys)}");
    }

    private static string Text(RenderContext context, object? value) => Values.ToText(context, value);

    private static object? Given(object? argument, object? otherwise = null) =>
        ReferenceEquals(argument, Arguments.Missing) ? otherwise : argument;

    private static string Replace(RenderContext context, object? value, Arguments arguments)
    {
        object?[] bound = arguments.Bind(context, 2, "old", "new", "count");
        (bound[0], bound[1]) = (Text(context, bound[0]), Text(context, bound[1]));
        return StringMethods.Replace(context, Text(context, value), bound, arguments);
    }

    private static object? Default(RenderContext context, object? value, Arguments arguments)
    {
        object?[] bound = arguments.Bind(context, 0, "default_value", "boolean");
        bool absent = value is Undefined || (Values.IsTrue(Given(bound[1], false)) && !Values.IsTrue(value));
        return absent ? Given(bound[0], "") : value;
    }

    private static object Absolute(RenderContext context, object? value) =>
        !Values.TryNumber(value, out object? number) ? throw context.Error($"{Values.Describe(value)} is no number")
        : number is long whole ? (whole == long.MinValue ? throw context.Error("more than 64 bits") : (object)Math.Abs(whole))
        : Math.Abs((double)number!);

    private static string Escape(RenderContext context, string text)
    {
        context.ChargeText(6L * text.Length);
        return new StringBuilder(text)
            .Replace("&", "&amp;").Replace("<", "&lt;").Replace(">", "&gt;").Replace("\"", "&#34;").Replace("'", "&#39;").ToString();
    }

    private static object? ToFloat(RenderContext context, object? value, object? otherwise)
    {
        CheckDefined(context, value);
        double? number = value switch
        {
            bool flag => flag ? 1 : 0,
            long whole => whole,
            double real => real,
            string text => ParseFloat(text),
            _ => null,
        };
        return number ?? Given(otherwise, 0.0);
    }

    private static void CheckDefined(RenderContext context, object? value)
    {
        if (value is Undefined undefined)
        {
            throw context.Error($"{undefined.What} is undefined, so it is no number");
        }
    }

    private static double? ParseFloat(string text) =>
        double.TryParse(PythonText.Strip(text, null, true, true), NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            ? number : null;

    private static object? ToInteger(RenderContext context, object? value, Arguments arguments)
    {
        CheckDefined(context, value);
        object?[] bound = arguments.Bind(context, 0, "default", "base");
        if (Given(bound[1], 10L) is not 10L)
        {
            throw context.Error("the filter 'int' with another base than 10 is not supported");
        }

        if (value is string text && long.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out long whole))
        {
            return whole;
        }

        double? number = value switch
        {
            bool flag => flag ? 1 : 0,
            double real => real,
            string other => ParseFloat(other),
            _ => null,
        };
        return value is long ? value
            : number is { } some && Math.Abs(some) < 9.2e18 ? (long)some
            : Given(bound[0], 0L);
    }

    private static string Indent(RenderContext context, object? value, Arguments arguments)
    {
        object?[] bound = arguments.Bind(context, 0, "width", "first", "blank");
        string indentation = Given(bound[0], 4L) switch
        {
            string given => given,
            long width => new string(' ', (int)Math.Clamp(width, 0, 1000)),
            _ => throw context.Error("the filter 'indent' wants a width or a string"),
        };
        bool first = Values.IsTrue(Given(bound[1], false));
        bool blank = Values.IsTrue(Given(bound[2], false));
        List<string> lines = PythonText.SplitLines(Text(context, value) + "\n");
        context.ChargeText(lines.Sum(line => (long)line.Length + 1 + indentation.Length));
        var result = new StringBuilder();
        for (int i = 0; i < lines.Count; i++)
        {
            bool indented = i == 0 ? first : blank || lines[i].Length > 0;
            result.Append(i == 0 ? "" : "\n").Append(indented ? indentation : "").Append(lines[i]);
        }

        return result.ToString();
    }

    private static string Join(RenderContext context, object? value, Arguments arguments)
    {
        object?[] bound = arguments.Bind(context, 0, "d", "attribute");
        object? items = Given(bound[1]) is { } attribute ? Attributes(context, value, attribute, Arguments.Missing) : value;
        return StringMethods.Join(context, Text(context, Given(bound[0], "")), items);
    }

    private static ListValue Map(RenderContext context, object? value, Arguments arguments)
    {
        if (arguments.Positional.Count == 0)
        {
            object?[] bound = arguments.Bind(context, 0, "attribute", "default");
            return ReferenceEquals(bound[0], Arguments.Missing)
                ? throw context.Error("the filter 'map' wants a filter's name or attribute=")
                : Attributes(context, value, bound[0], bound[1]);
        }

        string name = arguments.Positional[0] as string ?? throw context.Error("the filter 'map' wants the name of a filter");
        var rest = new Arguments($"the filter '{name}'", [.. arguments.Positional.Skip(1)], arguments.Named);
        var mapped = new List<object?>();
        foreach (object? item in Values.Elements(context, value))
        {
            mapped.Add(Apply(context, name, item, rest));
        }

        return new ListValue(mapped);
    }

    // What "a.b" or 0 is of each element.
    private static ListValue Attributes(RenderContext context, object? value, object? attribute, object? otherwise)
    {
        var found = new List<object?>();
        foreach (object? item in Values.Elements(context, value))
        {
            object? part = AttributeOf(context, item, attribute);
            found.Add(part is Undefined && !ReferenceEquals(otherwise, Arguments.Missing) ? otherwise : part);
        }

        return new ListValue(found);
    }

    private static object? AttributeOf(RenderContext context, object? item, object? attribute)
    {
        if (attribute is not string path)
        {
            return Part(context, item, attribute);
        }

        foreach (string part in path.Split('.'))
        {
            object key = long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out long index) ? index : part;
            item = Part(context, item, key);
        }

        return item;
    }

    private static object? Part(RenderContext context, object? item, object? key) =>
        Access.TryItem(context, item, key, out object? found) ? found : new Undefined($"[{key}] of an element");

    private static ListValue Select(RenderContext context, object? value, Arguments arguments, bool byAttribute, bool keep)
    {
        int used = byAttribute ? 1 : 0;
        if (arguments.Positional.Count < used)
        {
            throw context.Error($"{arguments.Of} wants the name of an attribute");
        }

        bool hasTest = arguments.Positional.Count > used;
        string? test = !hasTest ? null
            : arguments.Positional[used] as string ?? throw context.Error($"{arguments.Of} wants the name of a test");
        var rest = new Arguments($"the test '{test}'", [.. arguments.Positional.Skip(used + 1)], arguments.Named);
        var kept = new List<object?>();
        foreach (object? item in Values.Elements(context, value))
        {
            object? tested = byAttribute ? AttributeOf(context, item, arguments.Positional[0]) : item;
            bool holds = test is null ? Values.IsTrue(tested) : Tests.Holds(context, test, tested, rest);
            if (holds == keep)
            {
                kept.Add(item);
            }
        }

        return new ListValue(kept);
    }

    private static object? Extreme(RenderContext context, object? value, Arguments arguments, int sign)
    {
        object?[] bound = arguments.Bind(context, 0, "case_sensitive", "attribute");
        IReadOnlyList<object?> items = Values.Elements(context, value);
        object? best = new Undefined($"{arguments.Of} of nothing");
        for (int i = 0; i < items.Count; i++)
        {
            object? OrderedBy(object? item) => Key(context, item, bound[1], bound[0]);
            if (i == 0 || sign * Values.Compare(context, OrderedBy(items[i]), OrderedBy(best)) > 0)
            {
                best = items[i];
            }
        }

        return best;
    }

    // What an element is sorted by: it or its attribute, strings without regard to case unless told otherwise.
    private static object? Key(RenderContext context, object? item, object? attribute, object? caseSensitive)
    {
        object? key = Given(attribute) is { } name ? AttributeOf(context, item, name) : item;
        return key is string text && !Values.IsTrue(Given(caseSensitive, false)) ? text.ToLowerInvariant() : key;
    }

    private static ListValue Sort(RenderContext context, object? value, Arguments arguments)
    {
        object?[] bound = arguments.Bind(context, 0, "reverse", "case_sensitive", "attribute");
        bool reverse = Values.IsTrue(Given(bound[0], false));
        return new ListValue(Sorted(context, Values.Elements(context, value), item => Key(context, item, bound[2], bound[1]), reverse));
    }

    private static ListValue DictionarySort(RenderContext context, object? value, Arguments arguments)
    {
        object?[] bound = arguments.Bind(context, 0, "case_sensitive", "by", "reverse");
        if (value is not OrderedDictionary<string, object?> dictionary)
        {
            throw context.Error($"the filter 'dictsort' wants a dictionary, not {Values.Describe(value)}");
        }

        object? part = Given(bound[1], "key") switch
        {
            "key" => 0L,
            "value" => 1L,
            _ => throw context.Error("the filter 'dictsort' sorts by 'key' or 'value'"),
        };
        bool reverse = Values.IsTrue(Given(bound[2], false));
        IReadOnlyList<object?> pairs = DictionaryMethods.Items(dictionary).Items;
        return new ListValue(Sorted(context, pairs, pair => Key(context, pair, part, bound[0]), reverse));
    }

    // Stable, as Python's sort, in reverse too.
    private static List<object?> Sorted(RenderContext context, IReadOnlyList<object?> items, Func<object?, object?> key, bool reverse)
    {
        Comparer<object?> comparer = Comparer<object?>.Create((a, b) => Values.Compare(context, a, b));
        try
        {
            return [.. reverse ? items.OrderByDescending(key, comparer) : items.OrderBy(key, comparer)];
        }
        catch (InvalidOperationException e) when (e.InnerException is TemplateException inner)
        {
            throw inner;
        }
    }

    private static ListValue Unique(RenderContext context, object? value, Arguments arguments)
    {
        object?[] bound = arguments.Bind(context, 0, "case_sensitive", "attribute");
        var keys = new List<object?>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var kept = new List<object?>();
        foreach (object? item in Values.Elements(context, value))
        {
            object? key = Key(context, item, bound[1], bound[0]);
            bool isNew = key is string text ? seen.Add(text) : !keys.Exists(known => Values.AreEqual(context, known, key));
            if (isNew)
            {
                keys.Add(key);
                kept.Add(item);
            }
        }

        return new ListValue(kept);
    }

    private static object? Sum(RenderContext context, object? value, Arguments arguments)
    {
        object?[] bound = arguments.Bind(context, 0, "attribute", "start");
        object? sum = Given(bound[1], 0L);
        foreach (object? item in Values.Elements(context, value))
        {
            sum = Arithmetic.Apply(context, "+", sum, Given(bound[0]) is { } attribute ? AttributeOf(context, item, attribute) : item);
        }

        return sum;
    }

    private static object Round(RenderContext context, object? value, Arguments arguments)
    {
        object?[] bound = arguments.Bind(context, 0, "precision", "method");
        if (!Values.TryNumber(value, out object? number) || Given(bound[0], 0L) is not long precision || precision is < 0 or > 15)
        {
            throw context.Error("the filter 'round' wants a number, and a precision from 0 to 15");
        }

        double scale = Math.Pow(10, precision);
        double real = Values.ToDouble(number);
        return Given(bound[1], "common") switch
        {
            "common" when number is long => number,
            "common" => Math.Round(real, (int)precision, MidpointRounding.ToEven),
            "ceil" => Math.Ceiling(real * scale) / scale,
            "floor" => Math.Floor(real * scale) / scale,
            _ => throw context.Error("the filter 'round' has the methods 'common', 'ceil' and 'floor'"),
        };
    }

    // As in Jinja2 words begin after white space and after - ( { [ <.
    private static string Title(string text)
    {
        var title = new StringBuilder(text.Length);
        bool inWord = false;
        foreach (char c in text)
        {
            bool separates = PythonText.IsSpace(c) || c is '-' or '(' or '{' or '[' or '<';
            title.Append(inWord ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c));
            inWord = !separates;
        }

        return title.ToString();
    }

    private static string ToJson(RenderContext context, object? value, Arguments arguments)
    {
        object?[] bound = arguments.Bind(context, 0, "ensure_ascii", "indent", "separators", "sort_keys");
        string? indent = Given(bound[1]) switch
        {
            null => null,
            long width => new string(' ', (int)Math.Clamp(width, 0, 1000)),
            string text => text,
            _ => throw context.Error("tojson: indent wants a number or a string"),
        };
        (string, string)? separators = Given(bound[2]) switch
        {
            null => null,
            ListValue { Items: [string item, string key] } => (item, key),
            _ => throw context.Error("tojson: separators wants two strings"),
        };
        bool ensureAscii = Values.IsTrue(Given(bound[0], false));
        bool sortKeys = Values.IsTrue(Given(bound[3], false));
        return new JsonText(context, indent, separators, sortKeys, ensureAscii).Write(value);
    }
}
