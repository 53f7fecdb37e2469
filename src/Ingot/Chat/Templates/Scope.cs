namespace Ingot.Chat.Templates;

/// <summary>
/// Names and their values: of the template, of a loop's turn, of a macro's call. A name not found here is looked for outside.
/// </summary>
/// <param name="outer">The scope around this one.</param>
internal sealed class Scope(Scope? outer)
{
    private Dictionary<string, object?>? _values;

    /// <summary>Finds a name's value.</summary>
    public bool TryGet(string name, out object? value)
    {
        for (Scope? scope = this; scope is not null; scope = scope.Outer)
        {
            if (scope._values is { } values && values.TryGetValue(name, out value))
            {
                return true;
            }
        }

        value = null;
        return false;
    }

    /// <summary>Sets a name in this scope.</summary>
    public void Set(string name, object? value) => (_values ??= new(StringComparer.Ordinal))[name] = value;

    private Scope? Outer { get; } = outer;
}
