using System.Text;

namespace Ingot.Chat.Templates;

/// <summary>The methods of strings, as in Python.</summary>
internal static class StringMethods
{
    private delegate object? Method(RenderContext context, string text, Arguments arguments);

    private static readonly Dictionary<string, Method> All = new(StringComparer.Ordinal)
    {
        ["strip"] = (c, s, a) => PythonText.Strip(s, Characters(c, a), start: true, end: true),
        ["lstrip"] = (c, s, a) => PythonText.Strip(s, Characters(c, a), start: true, end: false),
        ["rstrip"] = (c, s, a) => PythonText.Strip(s, Characters(c, a), start: false, end: true),
        ["upper"] = (c, s, a) => NoArguments(c, a, s).ToUpperInvariant(),
        ["lower"] = (c, s, a) => NoArguments(c, a, s).ToLowerInvariant(),
        ["casefold"] = (c, s, a) => NoArguments(c, a, s).ToLowerInvariant(),
        ["title"] = (c, s, a) => PythonText.Title(NoArguments(c, a, s)),
        ["capitalize"] = (c, s, a) => PythonText.Capitalize(NoArguments(c, a, s)),
        ["split"] = Split,
        ["rsplit"] = RightSplit,
        ["splitlines"] = (c, s, a) => ListOf(PythonText.SplitLines(s, Values.IsTrue(Optional(a.Bind(c, 0, "keepends")[0], false)))),
        ["partition"] = (c, s, a) => Partition(c, s, a, last: false),
        ["rpartition"] = (c, s, a) => Partition(c, s, a, last: true),
        ["startswith"] = (c, s, a) => Affixes(c, a).Any(affix => s.StartsWith(affix, StringComparison.Ordinal)),
        ["endswith"] = (c, s, a) => Affixes(c, a).Any(affix => s.EndsWith(affix, StringComparison.Ordinal)),
        ["removeprefix"] = (c, s, a) => Text(c, a, "prefix") is var p && s.StartsWith(p, StringComparison.Ordinal) ? s[p.Length..] : s,
        ["removesuffix"] = (c, s, a) => Text(c, a, "suffix") is var p && s.EndsWith(p, StringComparison.Ordinal) ? s[..^p.Length] : s,
        ["replace"] = (c, s, a) => Replace(c, s, a.Bind(c, 2, "old", "new", "count"), a),
        ["join"] = (c, s, a) => Join(c, s, a.Bind(c, 1, "iterable")[0]),
        ["find"] = (c, s, a) => Place(s, s.IndexOf(Text(c, a, "sub"), StringComparison.Ordinal)),
        ["rfind"] = (c, s, a) => Place(s, s.LastIndexOf(Text(c, a, "sub"), StringComparison.Ordinal)),
        ["count"] = (c, s, a) =>
            Text(c, a, "sub") is { Length: > 0 } part ? (long)Count(s, part, long.MaxValue) : PythonText.Length(s) + 1L,
        ["isdigit"] = (c, s, a) => NoArguments(c, a, s).Length > 0 && s.All(char.IsDigit),
        ["isnumeric"] = (c, s, a) => NoArguments(c, a, s).Length > 0 && s.All(char.IsNumber),
        ["isalpha"] = (c, s, a) => NoArguments(c, a, s).Length > 0 && s.All(char.IsLetter),
        ["isalnum"] = (c, s, a) => NoArguments(c, a, s).Length > 0 && s.All(char.IsLetterOrDigit),
        ["isspace"] = (c, s, a) => NoArguments(c, a, s).Length > 0 && s.All(PythonText.IsSpace),
        ["isupper"] = (c, s, a) => NoArguments(c, a, s).Any(char.IsUpper) && !s.Any(char.IsLower),
        ["islower"] = (c, s, a) => NoArguments(c, a, s).Any(char.IsLower) && !s.Any(char.IsUpper),
    };

    private static readonly string[] Unsupported =
    [
        "format", "format_map", "encode", "center", "ljust", "rjust", "zfill", "expandtabs", "swapcase", "translate", "index", "rindex",
        "isascii", "isdecimal", "isidentifier", "isprintable", "istitle", "maketrans",
    ];

    /// <summary>Finds a method of a string.</summary>
    public static Callable? Find(string text, string name)
    {
        if (All.TryGetValue(name, out Method? method))
        {
            return new Callable($"the method '{name}'", (context, arguments) =>
            {
                context.Charge((text.Length / 16) + 1);
                return method(context, text, arguments);
            });
        }

        return Unsupported.Contains(name)
            ? new Callable(name, (context, _) => throw context.Error($"the method '{name}' of strings is not supported"))
            : null;
    }

    /// <summary>Replaces the first <c>count</c> occurrences, or all.</summary>
    public static string Replace(RenderContext context, string text, object?[] arguments, Arguments call)
    {
        string old = AsText(context, call, arguments[0]);
        string by = AsText(context, call, arguments[1]);
        long most = Limit(context, Optional(arguments[2], null), call);
        if (old.Length == 0)
        {
            return Insert(context, text, by, most);
        }

        int count = Count(text, old, most);
        context.ChargeText(text.Length + ((long)count * (by.Length - old.Length)));
        var result = new StringBuilder();
        int start = 0;
        for (int i = 0; i < count; i++)
        {
            int at = text.IndexOf(old, start, StringComparison.Ordinal);
            result.Append(text, start, at - start).Append(by);
            start = at + old.Length;
        }

        return result.Append(text, start, text.Length - start).ToString();
    }

    /// <summary>Joins the elements of a list, written as text, with a string between them.</summary>
    public static string Join(RenderContext context, string between, object? elements)
    {
        var result = new StringBuilder();
        IReadOnlyList<object?> items = Values.Elements(context, elements);
        for (int i = 0; i < items.Count; i++)
        {
            string item = Values.ToText(context, items[i]);
            context.Charge(between.Length + item.Length + 1L);
            context.CheckLength((long)result.Length + between.Length + item.Length);
            result.Append(i == 0 ? "" : between).Append(item);
        }

        return result.ToString();
    }

    private static object? Optional(object? argument, object? otherwise) =>
        ReferenceEquals(argument, Arguments.Missing) ? otherwise : argument;

    private static string NoArguments(RenderContext context, Arguments arguments, string text)
    {
        arguments.Bind(context, 0);
        context.Charge(text.Length);
        return text;
    }

    private static string? Characters(RenderContext context, Arguments arguments) =>
        Optional(arguments.Bind(context, 0, "chars")[0], null) is { } characters ? AsText(context, arguments, characters) : null;

    private static string Text(RenderContext context, Arguments arguments, string parameter) =>
        AsText(context, arguments, arguments.Bind(context, 1, parameter)[0]);

    private static string AsText(RenderContext context, Arguments arguments, object? value) =>
        value as string ?? throw context.Error($"{arguments.Of} wants a string, not {Values.Describe(value)}");

    private static IEnumerable<string> Affixes(RenderContext context, Arguments arguments) =>
        arguments.Bind(context, 1, "prefix")[0] is ListValue { IsTuple: true } several
            ? several.Items.Select(item => AsText(context, arguments, item))
            : [Text(context, arguments, "prefix")];

    private static long Limit(RenderContext context, object? limit, Arguments arguments) => limit switch
    {
        null or < 0L => long.MaxValue,
        long number => number,
        _ => throw context.Error($"{arguments.Of} wants a whole number, not {Values.Describe(limit)}"),
    };

    private static int Count(string text, string part, long most)
    {
        int count = 0;
        for (int at = 0; count < most && (at = text.IndexOf(part, at, StringComparison.Ordinal)) >= 0; at += part.Length)
        {
            count++;
        }

        return count;
    }

    private static long Place(string text, int at) => at <= 0 ? at : PythonText.Length(text[..at]);

    // Python's replace of nothing: the new string goes before every character and to the end.
    private static string Insert(RenderContext context, string text, string inserted, long most)
    {
        string[] characters = PythonText.CodePoints(text);
        context.ChargeText(text.Length + (Math.Min(most, characters.Length + 1L) * inserted.Length));
        var result = new StringBuilder();
        for (int i = 0; i <= characters.Length; i++)
        {
            result.Append(i < most ? inserted : "").Append(i < characters.Length ? characters[i] : "");
        }

        return result.ToString();
    }

    private static ListValue ListOf(IEnumerable<string> parts) => new([.. parts]);

    private static ListValue Split(RenderContext context, string text, Arguments arguments)
    {
        (string? separator, long most) = SplitArguments(context, text, arguments);
        var parts = new List<string>();
        int start = 0;
        if (separator is not null)
        {
            int at;
            while (parts.Count < most && (at = text.IndexOf(separator, start, StringComparison.Ordinal)) >= 0)
            {
                parts.Add(text[start..at]);
                start = at + separator.Length;
            }

            parts.Add(text[start..]);
            return ListOf(parts);
        }

        while (true)
        {
            while (start < text.Length && PythonText.IsSpace(text[start]))
            {
                start++;
            }

            if (start == text.Length)
            {
                return ListOf(parts);
            }

            int end = start;
            while (end < text.Length && (parts.Count >= most || !PythonText.IsSpace(text[end])))
            {
                end++;
            }

            parts.Add(text[start..end]);
            start = end;
        }
    }

    private static ListValue RightSplit(RenderContext context, string text, Arguments arguments)
    {
        (string? separator, long most) = SplitArguments(context, text, arguments);
        if (separator is null)
        {
            throw context.Error("rsplit without a separator is not supported");
        }

        var parts = new List<string>();
        int end = text.Length;
        for (int at; parts.Count < most && end > 0 && (at = text.AsSpan(0, end).LastIndexOf(separator)) >= 0; end = at)
        {
            parts.Add(text[(at + separator.Length)..end]);
        }

        parts.Add(text[..end]);
        parts.Reverse();
        return ListOf(parts);
    }

    private static (string? Separator, long Most) SplitArguments(RenderContext context, string text, Arguments arguments)
    {
        context.Charge(text.Length);
        object?[] bound = arguments.Bind(context, 0, "sep", "maxsplit");
        string? separator = Optional(bound[0], null) is { } given ? AsText(context, arguments, given) : null;
        return separator is "" ? throw context.Error($"{arguments.Of}: the separator is empty")
            : (separator, Limit(context, Optional(bound[1], null), arguments));
    }

    private static ListValue Partition(RenderContext context, string text, Arguments arguments, bool last)
    {
        string separator = Text(context, arguments, "sep") is { Length: > 0 } given
            ? given : throw context.Error($"{arguments.Of}: the separator is empty");
        int at = last ? text.LastIndexOf(separator, StringComparison.Ordinal) : text.IndexOf(separator, StringComparison.Ordinal);
        context.Charge(text.Length);
        string[] parts = at >= 0 ? [text[..at], separator, text[(at + separator.Length)..]] : last ? ["", "", text] : [text, "", ""];
        return new ListValue(parts, IsTuple: true);
    }
}
