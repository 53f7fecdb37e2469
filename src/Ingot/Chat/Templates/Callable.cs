namespace Ingot.Chat.Templates;

/// <summary>Something that a template can call: a function, a method with its object, or a macro.</summary>
/// <param name="Name">Its name, for errors.</param>
/// <param name="Invoke">What it does.</param>
internal sealed record Callable(string Name, Func<RenderContext, Arguments, object?> Invoke);

/// <summary>The arguments of a call, a filter or a test.</summary>
/// <param name="Of">What is called, for errors: <c>the filter 'join'</c>.</param>
/// <param name="Positional">Those without names.</param>
/// <param name="Named">Those with names.</param>
internal sealed record Arguments(string Of, IReadOnlyList<object?> Positional, IReadOnlyList<KeyValuePair<string, object?>> Named)
{
    /// <summary>Stands for an argument that was not given.</summary>
    public static readonly object Missing = new();

    /// <summary>Puts the arguments into the order of the parameters; those not given are <see cref="Missing"/>.</summary>
    /// <param name="context">The rendering.</param>
    /// <param name="required">How many of the parameters must be given.</param>
    /// <param name="parameters">Their names.</param>
    /// <exception cref="TemplateException">There are too many or too few, or one has an unknown name or comes twice.</exception>
    public object?[] Bind(RenderContext context, int required, params ReadOnlySpan<string> parameters)
    {
        if (Positional.Count > parameters.Length)
        {
            throw context.Error($"{Of} takes {parameters.Length} arguments at most, not {Positional.Count}");
        }

        var bound = new object?[parameters.Length];
        Array.Fill(bound, Missing);
        for (int i = 0; i < Positional.Count; i++)
        {
            bound[i] = Positional[i];
        }

        foreach ((string name, object? value) in Named)
        {
            int at = parameters.IndexOf(name);
            if (at < 0)
            {
                throw context.Error($"{Of} has no argument '{name}'");
            }

            if (!ReferenceEquals(bound[at], Missing))
            {
                throw context.Error($"{Of} got its argument '{name}' twice");
            }

            bound[at] = value;
        }

        for (int i = 0; i < required; i++)
        {
            if (ReferenceEquals(bound[i], Missing))
            {
                throw context.Error($"{Of} lacks its argument '{parameters[i]}'");
            }
        }

        return bound;
    }
}
