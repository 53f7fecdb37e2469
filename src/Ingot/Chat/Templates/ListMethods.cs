namespace Ingot.Chat.Templates;

/// <summary>The methods of lists and tuples, as in Python; those that would change one are refused, as in a sandbox.</summary>
internal static class ListMethods
{
    /// <summary>Finds a method of a list.</summary>
    public static Callable? Find(ListValue list, string name) => name switch
    {
        "count" => new Callable("the method 'count'", (context, arguments) =>
        {
            object? wanted = arguments.Bind(context, 1, "value")[0];
            return (long)list.Items.Count(item => Values.AreEqual(context, item, wanted));
        }),
        "index" => new Callable("the method 'index'", (context, arguments) =>
        {
            object? wanted = arguments.Bind(context, 1, "value")[0];
            for (int i = 0; i < list.Items.Count; i++)
            {
                if (Values.AreEqual(context, list.Items[i], wanted))
                {
                    return (long)i;
                }
            }

            throw context.Error($"{Values.Describe(wanted)} is not in the list");
        }),
        "append" or "extend" or "insert" or "pop" or "remove" or "clear" or "sort" or "reverse" => new Callable(
            name, (context, _) =>
                throw context.Error($"the method '{name}' would change a list, which a template may not: make a new one with +")),
        _ => null,
    };
}
