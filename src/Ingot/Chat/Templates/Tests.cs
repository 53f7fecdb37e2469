namespace Ingot.Chat.Templates;

/// <summary>The tests of templates: <c>value is name(arguments)</c>, as in Jinja2.</summary>
internal static class Tests
{
    private static readonly Dictionary<string, Func<object?, bool>> Plain = new(StringComparer.Ordinal)
    {
        ["defined"] = value => value is not Undefined,
        ["undefined"] = value => value is Undefined,
        ["none"] = value => value is null,
        ["boolean"] = value => value is bool,
        ["true"] = value => value is true,
        ["false"] = value => value is false,
        ["string"] = value => value is string,
        ["number"] = value => value is bool or long or double,
        ["integer"] = value => value is long,
        ["float"] = value => value is double,
        ["mapping"] = value => value is OrderedDictionary<string, object?>,
        ["sequence"] = value => value is string or ListValue or OrderedDictionary<string, object?> or Undefined,
        ["iterable"] = value => value is string or ListValue or OrderedDictionary<string, object?> or Undefined,
        ["callable"] = value => value is Callable,
    };

    private static readonly Dictionary<string, Func<RenderContext, object?, object?, bool>> Comparing = new(StringComparer.Ordinal)
    {
        ["eq"] = Values.AreEqual,
        ["=="] = Values.AreEqual,
        ["equalto"] = Values.AreEqual,
        ["ne"] = (c, a, b) => !Values.AreEqual(c, a, b),
        ["!="] = (c, a, b) => !Values.AreEqual(c, a, b),
        ["lt"] = (c, a, b) => Values.Compare(c, a, b) < 0,
        ["<"] = (c, a, b) => Values.Compare(c, a, b) < 0,
        ["lessthan"] = (c, a, b) => Values.Compare(c, a, b) < 0,
        ["le"] = (c, a, b) => Values.Compare(c, a, b) <= 0,
        ["<="] = (c, a, b) => Values.Compare(c, a, b) <= 0,
        ["gt"] = (c, a, b) => Values.Compare(c, a, b) > 0,
        [">"] = (c, a, b) => Values.Compare(c, a, b) > 0,
        ["greaterthan"] = (c, a, b) => Values.Compare(c, a, b) > 0,
        ["ge"] = (c, a, b) => Values.Compare(c, a, b) >= 0,
        [">="] = (c, a, b) => Values.Compare(c, a, b) >= 0,
        ["in"] = (c, a, b) => Values.Contains(c, b, a),
        ["sameas"] = (c, a, b) => a is null or bool ? Equals(a, b) : b is not null and not bool && Values.AreEqual(c, a, b),
        ["divisibleby"] = (c, a, b) => Arithmetic.Apply(c, "%", a, b) is 0L or 0.0,
    };

    /// <summary>Whether there is such a test.</summary>
    public static bool Exists(string name) =>
        Plain.ContainsKey(name) || Comparing.ContainsKey(name) || name is "even" or "odd" or "lower" or "upper";

    /// <summary>Whether a test holds for a value.</summary>
    /// <exception cref="TemplateException">There is no such test, or it cannot take the value or its arguments.</exception>
    public static bool Holds(RenderContext context, string name, object? value, Arguments arguments)
    {
        context.Charge(1);
        if (Plain.TryGetValue(name, out Func<object?, bool>? plain))
        {
            arguments.Bind(context, 0);
            return plain(value);
        }

        if (Comparing.TryGetValue(name, out Func<RenderContext, object?, object?, bool>? comparing))
        {
            return comparing(context, value, arguments.Bind(context, 1, "other")[0]);
        }

        switch (name)
        {
            case "even" or "odd":
                arguments.Bind(context, 0);
                return (Arithmetic.Apply(context, "%", value, 2L) is 1L or 1.0) == (name == "odd");
            case "lower" or "upper":
                arguments.Bind(context, 0);
                string text = Values.ToText(context, value);
                return text.Any(char.IsLetter) && text == (name == "lower" ? text.ToLowerInvariant() : text.ToUpperInvariant());
            default:
                throw context.Error(
                    $"the test '{name}' is not supported: there are {string.Join(", ", Plain.Keys.Concat(Comparing.Keys))}");
        }
    }
}
