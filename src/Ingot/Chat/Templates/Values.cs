using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Ingot.Chat.Templates;

/// <summary>
/// The values of templates and what Python says about them. A value is null (None), <see cref="bool"/>, <see cref="long"/>,
/// <see cref="double"/>, <see cref="string"/>, <see cref="ListValue"/>, a dictionary (<c>OrderedDictionary&lt;string, object?&gt;</c>,
/// never changed), <see cref="NamespaceValue"/>, <see cref="Callable"/> or <see cref="Undefined"/>.
/// </summary>
internal static class Values
{
    /// <summary>The value of something from outside.</summary>
    /// <exception cref="ArgumentException">There is no such value in templates.</exception>
    public static object? From(object? value) => value switch
    {
        null or bool or long or double or string or ListValue or OrderedDictionary<string, object?> or Callable => value,
        int number => (long)number,
        float number => (double)number,
        JsonElement json => FromJson(json),
        JsonNode json => FromJson(json.Deserialize<JsonElement>()),
        IEnumerable<string> strings => new ListValue([.. strings]),
        _ => throw new ArgumentException($"a template cannot read a {value.GetType().Name}: give text, a number, a boolean or JSON"),
    };

    /// <summary>The value of JSON.</summary>
    /// <exception cref="ArgumentException">A whole number has more than 64 bits.</exception>
    public static object? FromJson(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.Undefined => null,
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.String => json.GetString(),
        JsonValueKind.Number => FromJsonNumber(json),
        JsonValueKind.Array => new ListValue([.. json.EnumerateArray().Select(FromJson)]),
        _ => FromJsonObject(json),
    };

    /// <summary>Python's <c>bool(value)</c>.</summary>
    public static bool IsTrue(object? value) => value switch
    {
        null or Undefined => false,
        bool flag => flag,
        long number => number != 0,
        double number => number != 0,
        string text => text.Length > 0,
        ListValue list => list.Items.Count > 0,
        OrderedDictionary<string, object?> dictionary => dictionary.Count > 0,
        _ => true,
    };

    /// <summary>Python's <c>a == b</c>.</summary>
    public static bool AreEqual(RenderContext context, object? a, object? b)
    {
        context.Charge(RenderContext.StepWork);
        if (TryNumber(a, out object? first) && TryNumber(b, out object? second))
        {
            return first is long x && second is long y ? x == y : ToDouble(first) == ToDouble(second);
        }

        if (ReferenceEquals(a, b))
        {
            return true;
        }

        context.CheckStack();
        switch (a, b)
        {
            case (string x, string y):
                return x == y;
            case (Undefined, Undefined):
                return true;
            case (ListValue x, ListValue y):
                return x.IsTuple == y.IsTuple && x.Items.Count == y.Items.Count
                    && Enumerable.Range(0, x.Items.Count).All(i => AreEqual(context, x.Items[i], y.Items[i]));
            case (OrderedDictionary<string, object?> x, OrderedDictionary<string, object?> y):
                return x.Count == y.Count
                    && x.All(pair => y.TryGetValue(pair.Key, out object? other) && AreEqual(context, pair.Value, other));
            default:
                return false;
        }
    }

    /// <summary>Which of two comes first: numbers by size, strings by code points, lists by their elements.</summary>
    /// <exception cref="TemplateException">They have no order.</exception>
    public static int Compare(RenderContext context, object? a, object? b)
    {
        context.Charge(RenderContext.StepWork);
        if (TryNumber(a, out object? first) && TryNumber(b, out object? second))
        {
            return first is long x && second is long y ? x.CompareTo(y) : ToDouble(first).CompareTo(ToDouble(second));
        }

        switch (a, b)
        {
            case (string x, string y):
                return string.CompareOrdinal(x, y);
            case (ListValue x, ListValue y) when x.IsTuple == y.IsTuple:
                context.CheckStack();
                for (int i = 0; i < Math.Min(x.Items.Count, y.Items.Count); i++)
                {
                    if (!AreEqual(context, x.Items[i], y.Items[i]))
                    {
                        return Compare(context, x.Items[i], y.Items[i]);
                    }
                }

                return x.Items.Count.CompareTo(y.Items.Count);
            default:
                throw context.Error($"{Describe(a)} and {Describe(b)} have no order");
        }
    }

    /// <summary>A value as output writes it: Python's <c>str(value)</c>.</summary>
    public static string ToText(RenderContext context, object? value)
    {
        if (value is string text)
        {
            return text;
        }

        if (value is Undefined)
        {
            return "";
        }

        var output = new StringBuilder();
        AppendRepresentation(context, output, value);
        return output.ToString();
    }

    /// <summary>The elements that a loop goes through: of a list its items, of a dictionary its keys, of a string its characters.</summary>
    /// <exception cref="TemplateException">The value has none.</exception>
    public static IReadOnlyList<object?> Elements(RenderContext context, object? value)
    {
        switch (value)
        {
            case ListValue list:
                return list.Items;
            case OrderedDictionary<string, object?> dictionary:
                context.Charge(dictionary.Count);
                return [.. dictionary.Keys];
            case string text:
                context.Charge(text.Length);
                return PythonText.CodePoints(text);
            case Undefined:
                return [];
            default:
                throw context.Error($"{Describe(value)} has no elements to go through");
        }
    }

    /// <summary>How long a string, list or dictionary is.</summary>
    /// <exception cref="TemplateException">The value has no length.</exception>
    public static long Length(RenderContext context, object? value)
    {
        switch (value)
        {
            case ListValue list:
                return list.Items.Count;
            case OrderedDictionary<string, object?> dictionary:
                return dictionary.Count;
            case string text:
                context.Charge(text.Length / 16);
                return PythonText.Length(text);
            case Undefined:
                return 0;
            default:
                throw context.Error($"{Describe(value)} has no length");
        }
    }

    /// <summary>Python's <c>element in container</c>.</summary>
    /// <exception cref="TemplateException">The container is none, or a string that is asked for something else.</exception>
    public static bool Contains(RenderContext context, object? container, object? element)
    {
        switch (container, element)
        {
            case (string text, string part):
                context.Charge(text.Length / 16);
                return text.Contains(part, StringComparison.Ordinal);
            case (string, Undefined undefined):
                throw context.Error($"{undefined.What} is undefined, so it cannot be looked for in a string");
            case (string, _):
                throw context.Error($"{Describe(element)} cannot be in a string");
            case (ListValue list, _):
                return list.Items.Any(item => AreEqual(context, item, element));
            case (OrderedDictionary<string, object?> dictionary, _):
                return element is string key && dictionary.ContainsKey(key);
            case (Undefined, _):
                return false;
            default:
                throw context.Error($"nothing can be in {Describe(container)}");
        }
    }

    /// <summary>The number that a value is to arithmetic, where True is 1.</summary>
    public static bool TryNumber(object? value, out object? number)
    {
        number = value switch { bool flag => flag ? 1L : 0L, long or double => value, _ => null };
        return number is not null;
    }

    /// <summary>A number as floating point.</summary>
    public static double ToDouble(object? number) => number is long whole ? whole : (double)number!;

    /// <summary>What a value is, for errors.</summary>
    public static string Describe(object? value) => value switch
    {
        null => "None",
        bool flag => flag ? "True" : "False",
        long number => $"the number {number}",
        double number => $"the number {PythonText.OfDouble(number)}",
        string text => $"the string '{(text.Length > 40 ? text[..40] + "…" : text)}'",
        ListValue list => list.IsTuple ? "a tuple" : "a list",
        OrderedDictionary<string, object?> => "a dictionary",
        NamespaceValue => "a namespace",
        Callable callable => $"the function {callable.Name}",
        LoopValue => "loop",
        Undefined undefined => $"{undefined.What}, which is undefined,",
        _ => value.GetType().Name,
    };

    /// <summary>Python's <c>repr(value)</c>.</summary>
    private static void AppendRepresentation(RenderContext context, StringBuilder output, object? value)
    {
        context.CheckStack();
        int start = output.Length;
        switch (value)
        {
            case null:
                output.Append("None");
                break;
            case bool flag:
                output.Append(flag ? "True" : "False");
                break;
            case long number:
                output.Append(CultureInfo.InvariantCulture, $"{number}");
                break;
            case double number:
                output.Append(PythonText.OfDouble(number));
                break;
            case string text:
                PythonText.AppendQuoted(output, text);
                break;
            case Undefined:
                output.Append("Undefined");
                break;
            case ListValue list:
                output.Append(list.IsTuple ? '(' : '[');
                for (int i = 0; i < list.Items.Count; i++)
                {
                    output.Append(i == 0 ? "" : ", ");
                    AppendRepresentation(context, output, list.Items[i]);
                }

                output.Append(list.IsTuple && list.Items.Count == 1 ? "," : "").Append(list.IsTuple ? ')' : ']');
                break;
            case OrderedDictionary<string, object?> dictionary:
                output.Append('{');
                foreach ((string key, object? item) in dictionary)
                {
                    output.Append(output.Length == start + 1 ? "" : ", ");
                    PythonText.AppendQuoted(output, key);
                    output.Append(": ");
                    AppendRepresentation(context, output, item);
                }

                output.Append('}');
                break;
            default:
                throw context.Error($"{Describe(value)} cannot be written as text");
        }

        // What is inside was counted there; counting it again at every level bounds the depth too.
        context.ChargeText(output.Length - start + 1);
    }

    private static object FromJsonNumber(JsonElement json)
    {
        string text = json.GetRawText();
        if (text.AsSpan().IndexOfAny('.', 'e', 'E') >= 0)
        {
            return json.GetDouble();
        }

        return json.TryGetInt64(out long number)
            ? number
            : throw new ArgumentException($"the number {(text.Length > 40 ? text[..40] + "…" : text)} has more than 64 bits");
    }

    private static OrderedDictionary<string, object?> FromJsonObject(JsonElement json)
    {
        var dictionary = new OrderedDictionary<string, object?>(StringComparer.Ordinal);
        foreach (JsonProperty property in json.EnumerateObject())
        {
            dictionary[property.Name] = FromJson(property.Value);
        }

        return dictionary;
    }
}
