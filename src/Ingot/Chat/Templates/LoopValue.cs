namespace Ingot.Chat.Templates;

/// <summary>The variable <c>loop</c> inside <c>{% for %}</c>.</summary>
/// <param name="items">What the loop goes through.</param>
/// <param name="depth">How many loops of the same <c>recursive</c> construct are around this one.</param>
/// <param name="again">Runs the loop's body over something else, where the loop is <c>recursive</c>.</param>
internal sealed class LoopValue(IReadOnlyList<object?> items, int depth, Func<RenderContext, object?, int, string>? again)
{
    private static readonly object Never = new();
    private object? _seen = Never;

    /// <summary>Which turn it is, counted from 0.</summary>
    public int Index { get; set; }

    /// <summary>Finds an attribute.</summary>
    public bool TryGet(RenderContext context, string name, out object? value)
    {
        value = name switch
        {
            "index" => Index + 1L,
            "index0" => (long)Index,
            "revindex" => (long)items.Count - Index,
            "revindex0" => items.Count - Index - 1L,
            "first" => Index == 0,
            "last" => Index == items.Count - 1,
            "length" => (long)items.Count,
            "previtem" => Index > 0 ? items[Index - 1] : new Undefined("loop.previtem"),
            "nextitem" => Index + 1 < items.Count ? items[Index + 1] : new Undefined("loop.nextitem"),
            "depth" => depth + 1L,
            "depth0" => (long)depth,
            "cycle" => new Callable("loop.cycle", Cycle),
            "changed" => new Callable("loop.changed", (inner, arguments) => Changed(inner, arguments)),
            _ => null,
        };
        return value is not null || (name == "previtem" && Index > 0) || (name == "nextitem" && Index + 1 < items.Count);
    }

    /// <summary><c>loop(items)</c> in a recursive loop.</summary>
    /// <exception cref="TemplateException">The loop is not recursive.</exception>
    public string Call(RenderContext context, Arguments arguments)
    {
        object? inner = arguments.Bind(context, 1, "iterable")[0];
        return again is null
            ? throw context.Error("loop(…) in a loop that is not recursive: {% for … recursive %}")
            : (string)context.Call("loop", () => again(context, inner, depth + 1))!;
    }

    private object? Cycle(RenderContext context, Arguments arguments) =>
        arguments.Positional.Count > 0
            ? arguments.Positional[Index % arguments.Positional.Count]
            : throw context.Error("loop.cycle wants what to go through");

    private bool Changed(RenderContext context, Arguments arguments)
    {
        var now = new ListValue([.. arguments.Positional]);
        bool changed = ReferenceEquals(_seen, Never) || !Values.AreEqual(context, _seen, now);
        _seen = now;
        return changed;
    }
}
