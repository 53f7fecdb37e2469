namespace Ingot.Chat.Templates;

/// <summary>The methods of dictionaries, as in Python; those that would change one are refused, as in a sandbox.</summary>
internal static class DictionaryMethods
{
    /// <summary>Finds a method of a dictionary.</summary>
    public static Callable? Find(OrderedDictionary<string, object?> dictionary, string name) => name switch
    {
        "items" => Of(name, dictionary, () => Items(dictionary)),
        "keys" => Of(name, dictionary, () => new ListValue([.. dictionary.Keys])),
        "values" => Of(name, dictionary, () => new ListValue([.. dictionary.Values])),
        "copy" => Of(name, dictionary, () => dictionary),
        "get" => new Callable("the method 'get'", (context, arguments) => Get(context, dictionary, arguments)),
        "pop" or "popitem" or "clear" or "update" or "setdefault" => new Callable(
            name, (context, _) => throw context.Error($"the method '{name}' would change a dictionary, which a template may not")),
        _ => null,
    };

    /// <summary>The pairs of key and value, each a tuple.</summary>
    public static ListValue Items(OrderedDictionary<string, object?> dictionary) =>
        new([.. dictionary.Select(pair => new ListValue([pair.Key, pair.Value], IsTuple: true))]);

    private static Callable Of(string name, OrderedDictionary<string, object?> dictionary, Func<object?> invoke) =>
        new($"the method '{name}'", (context, arguments) =>
        {
            arguments.Bind(context, 0);
            context.Charge(dictionary.Count);
            return invoke();
        });

    private static object? Get(RenderContext context, OrderedDictionary<string, object?> dictionary, Arguments arguments)
    {
        object?[] bound = arguments.Bind(context, 1, "key", "default");
        return bound[0] is string key && dictionary.TryGetValue(key, out object? value)
            ? value
            : ReferenceEquals(bound[1], Arguments.Missing) ? null : bound[1];
    }
}
