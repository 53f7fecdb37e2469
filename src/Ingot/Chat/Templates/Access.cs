namespace Ingot.Chat.Templates;

/// <summary>What is inside a value: <c>value.name</c>, <c>value[index]</c>, <c>value[from:to:step]</c>.</summary>
internal static class Access
{
    /// <summary><c>value.name</c>: a method, or what a dictionary or namespace holds.</summary>
    /// <returns>Whether there is something of this name.</returns>
    /// <exception cref="TemplateException">The value itself is undefined.</exception>
    public static bool TryAttribute(RenderContext context, object? value, string name, out object? found)
    {
        found = null;
        switch (value)
        {
            case Undefined undefined:
                throw context.Error($"{undefined.What} is undefined, so it has no '{name}'");
            case string text:
                return (found = StringMethods.Find(text, name)) is not null;
            case ListValue list:
                return (found = ListMethods.Find(list, name)) is not null;
            case OrderedDictionary<string, object?> dictionary:
                return (found = DictionaryMethods.Find(dictionary, name)) is not null || dictionary.TryGetValue(name, out found);
            case NamespaceValue space:
                return space.Attributes.TryGetValue(name, out found);
            case LoopValue loop:
                return loop.TryGet(context, name, out found);
            default:
                return false;
        }
    }

    /// <summary><c>value[index]</c>: what a dictionary, list or string holds there, or an attribute.</summary>
    /// <returns>Whether there is something.</returns>
    /// <exception cref="TemplateException">The value itself is undefined.</exception>
    public static bool TryItem(RenderContext context, object? value, object? index, out object? found)
    {
        found = null;
        switch (value, index)
        {
            case (Undefined undefined, _):
                throw context.Error($"{undefined.What} is undefined, so it has no [{(index is string missing ? $"'{missing}'" : index)}]");
            case (OrderedDictionary<string, object?> dictionary, string key) when dictionary.TryGetValue(key, out found):
                return true;
            case (ListValue list, long at):
                at = at < 0 ? at + list.Items.Count : at;
                found = at >= 0 && at < list.Items.Count ? list.Items[(int)at] : null;
                return at >= 0 && at < list.Items.Count;
            case (string text, long at):
                return (found = Character(context, text, at)) is not null;
            case (_, string name):
                return TryAttribute(context, value, name, out found);
            default:
                return false;
        }
    }

    /// <summary><c>value[from:to:step]</c> of a string or list.</summary>
    /// <exception cref="TemplateException">The value has no slices, or a bound is no whole number.</exception>
    public static object Slice(RenderContext context, object? value, object? from, object? to, object? step)
    {
        long stride = Bound(context, step) ?? 1;
        if (stride == 0)
        {
            throw context.Error("a slice cannot have the step 0");
        }

        switch (value)
        {
            case string text when stride == 1 && !PythonText.HasPairs(text):
                (long start, long stop) = Range(text.Length, Bound(context, from), Bound(context, to), 1);
                context.Charge(Math.Max(0, stop - start) + (text.Length / 16));
                return start < stop ? text[(int)start..(int)stop] : "";
            case string text:
                context.Charge(text.Length);
                return string.Concat(Pick(PythonText.CodePoints(text), Bound(context, from), Bound(context, to), stride));
            case ListValue list:
                context.Charge(list.Items.Count);
                return new ListValue(Pick(list.Items, Bound(context, from), Bound(context, to), stride), list.IsTuple);
            default:
                throw context.Error($"{Values.Describe(value)} cannot be sliced");
        }
    }

    private static string? Character(RenderContext context, string text, long at)
    {
        if (!PythonText.HasPairs(text))
        {
            at = at < 0 ? at + text.Length : at;
            return at >= 0 && at < text.Length ? text[(int)at].ToString() : null;
        }

        context.Charge(text.Length);
        string[] characters = PythonText.CodePoints(text);
        at = at < 0 ? at + characters.Length : at;
        return at >= 0 && at < characters.Length ? characters[at] : null;
    }

    private static long? Bound(RenderContext context, object? bound) => bound switch
    {
        null => null,
        bool flag => flag ? 1 : 0,
        long number => number,
        _ => throw context.Error($"{Values.Describe(bound)} cannot be a bound of a slice, which wants whole numbers"),
    };

    // Python's rules: negative places count from the end, and what lies outside is cut off.
    private static (long Start, long Stop) Range(long length, long? from, long? to, long step)
    {
        long lowest = step > 0 ? 0 : -1;
        long highest = step > 0 ? length : length - 1;
        long Place(long? bound, long otherwise) =>
            bound is { } place ? Math.Clamp(place < 0 ? Math.Max(place, -length - 1) + length : place, lowest, highest) : otherwise;
        return step > 0 ? (Place(from, 0), Place(to, length)) : (Place(from, length - 1), Place(to, -1));
    }

    private static List<T> Pick<T>(IReadOnlyList<T> items, long? from, long? to, long step)
    {
        (long start, long stop) = Range(items.Count, from, to, step);
        var picked = new List<T>();
        long stride = Math.Clamp(step, -items.Count - 1L, items.Count + 1L);
        for (long i = start; step > 0 ? i < stop : i > stop; i += stride)
        {
            picked.Add(items[(int)i]);
        }

        return picked;
    }
}
