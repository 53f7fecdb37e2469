namespace Ingot.Chat.Templates;

/// <summary>A part of a template that has a value.</summary>
/// <param name="line">Where it stands.</param>
internal abstract class Expression(int line)
{
    /// <summary>The line on which it stands.</summary>
    public int Line { get; } = line;

    /// <summary>The expression as an error names it.</summary>
    public virtual string Source => "value";

    /// <summary>Its value.</summary>
    public object? Evaluate(RenderContext context)
    {
        context.Charge(RenderContext.StepWork);
        context.CheckStack();
        context.Line = Line;
        return Compute(context);
    }

    /// <summary>Computes the value.</summary>
    protected abstract object? Compute(RenderContext context);
}

/// <summary>A string, a number, true, false or none.</summary>
internal sealed class LiteralExpression(int line, object? value) : Expression(line)
{
    /// <summary>The value.</summary>
    public object? Value { get; } = value;

    /// <inheritdoc/>
    protected override object? Compute(RenderContext context) => Value;
}

/// <summary>A variable.</summary>
internal sealed class NameExpression(int line, string name) : Expression(line)
{
    /// <summary>Its name.</summary>
    public string Name { get; } = name;

    /// <inheritdoc/>
    public override string Source => Name;

    /// <inheritdoc/>
    protected override object? Compute(RenderContext context) =>
        context.Scope.TryGet(Name, out object? value) ? value : new Undefined(Name);
}

/// <summary><c>[a, b]</c> or <c>(a, b)</c>.</summary>
internal sealed class ListExpression(int line, IReadOnlyList<Expression> items, bool isTuple) : Expression(line)
{
    /// <summary>The elements.</summary>
    public IReadOnlyList<Expression> Items { get; } = items;

    /// <summary>Whether it is a tuple.</summary>
    public bool IsTuple { get; } = isTuple;

    /// <inheritdoc/>
    protected override object? Compute(RenderContext context)
    {
        var values = new object?[Items.Count];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Items[i].Evaluate(context);
        }

        return new ListValue(values, IsTuple);
    }
}

/// <summary><c>{key: value}</c>.</summary>
internal sealed class DictionaryExpression(int line, IReadOnlyList<(Expression Key, Expression Value)> pairs) : Expression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(RenderContext context)
    {
        var dictionary = new OrderedDictionary<string, object?>(StringComparer.Ordinal);
        foreach ((Expression key, Expression value) in pairs)
        {
            object? name = key.Evaluate(context);
            dictionary[name as string ?? throw context.Error($"keys of dictionaries are strings, not {Values.Describe(name)}")] =
                value.Evaluate(context);
        }

        return dictionary;
    }
}

/// <summary><c>value.name</c>.</summary>
internal sealed class AttributeExpression(int line, Expression value, string name) : Expression(line)
{
    /// <inheritdoc/>
    public override string Source => $"{value.Source}.{name}";

    /// <inheritdoc/>
    protected override object? Compute(RenderContext context)
    {
        object? inside = value.Evaluate(context);
        context.Line = Line;
        return Access.TryAttribute(context, inside, name, out object? found) ? found : new Undefined(Source);
    }
}

/// <summary><c>value[index]</c>.</summary>
internal sealed class ItemExpression(int line, Expression value, Expression index) : Expression(line)
{
    /// <inheritdoc/>
    public override string Source => $"{value.Source}[{(index is LiteralExpression { Value: string name } ? $"'{name}'" : "…")}]";

    /// <inheritdoc/>
    protected override object? Compute(RenderContext context)
    {
        object? inside = value.Evaluate(context);
        object? at = index.Evaluate(context);
        context.Line = Line;
        return Access.TryItem(context, inside, at, out object? found) ? found : new Undefined(Source);
    }
}

/// <summary><c>value[from:to:step]</c>.</summary>
internal sealed class SliceExpression(int line, Expression value, Expression? from, Expression? to, Expression? step) : Expression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(RenderContext context)
    {
        object? inside = value.Evaluate(context);
        return Access.Slice(context, inside, from?.Evaluate(context), to?.Evaluate(context), step?.Evaluate(context));
    }
}

/// <summary>The arguments as a template writes them.</summary>
internal sealed record ArgumentExpressions(IReadOnlyList<Expression> Positional, IReadOnlyList<(string Name, Expression Value)> Named)
{
    /// <summary>No arguments.</summary>
    public static readonly ArgumentExpressions None = new([], []);

    /// <summary>Their values.</summary>
    public Arguments Evaluate(RenderContext context, string of)
    {
        var positional = new object?[Positional.Count];
        for (int i = 0; i < positional.Length; i++)
        {
            positional[i] = Positional[i].Evaluate(context);
        }

        var named = new KeyValuePair<string, object?>[Named.Count];
        for (int i = 0; i < named.Length; i++)
        {
            named[i] = new(Named[i].Name, Named[i].Value.Evaluate(context));
        }

        return new Arguments(of, positional, named);
    }
}

/// <summary><c>function(arguments)</c>.</summary>
internal sealed class CallExpression(int line, Expression function, ArgumentExpressions arguments) : Expression(line)
{
    /// <inheritdoc/>
    public override string Source => $"{function.Source}(…)";

    /// <inheritdoc/>
    protected override object? Compute(RenderContext context) => Call(context, null);

    /// <summary>Calls with one more named argument: <c>caller</c>, from a call block.</summary>
    public object? Call(RenderContext context, Callable? caller)
    {
        object? called = function.Evaluate(context);
        Arguments given = arguments.Evaluate(context, called is Callable { Name: var name } ? name : "loop");
        context.Line = Line;
        given = caller is null ? given : given with { Named = [.. given.Named, new("caller", caller)] };
        return called switch
        {
            Callable callable => callable.Invoke(context, given),
            LoopValue loop => loop.Call(context, given),
            Undefined undefined =>
                throw context.Error($"{undefined.What} is undefined, so it cannot be called: there is no such function or method"),
            _ => throw context.Error($"{Values.Describe(called)} cannot be called"),
        };
    }
}

/// <summary><c>value | filter(arguments)</c>.</summary>
/// <param name="line">Where it stands.</param>
/// <param name="value">What is filtered; null for the text of a block.</param>
/// <param name="name">The filter's name.</param>
/// <param name="arguments">Its arguments.</param>
internal sealed class FilterExpression(int line, Expression? value, string name, ArgumentExpressions arguments) : Expression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(RenderContext context) => Apply(context, value?.Evaluate(context));

    /// <summary>Applies the filter, and those before it in a chain, to the text of a block.</summary>
    public string ApplyToBlock(RenderContext context, string text) =>
        Values.ToText(context, Apply(context, value is FilterExpression inner ? inner.ApplyToBlock(context, text) : text));

    private object? Apply(RenderContext context, object? filtered)
    {
        Arguments given = arguments.Evaluate(context, $"the filter '{name}'");
        context.Line = Line;
        return Filters.Apply(context, name, filtered, given);
    }
}

/// <summary><c>value is test(arguments)</c>.</summary>
internal sealed class TestExpression(int line, Expression value, string name, ArgumentExpressions arguments) : Expression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(RenderContext context)
    {
        object? tested = value.Evaluate(context);
        Arguments given = arguments.Evaluate(context, $"the test '{name}'");
        context.Line = Line;
        return Tests.Holds(context, name, tested, given);
    }
}

/// <summary><c>not value</c>.</summary>
internal sealed class NotExpression(int line, Expression value) : Expression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(RenderContext context) => !Values.IsTrue(value.Evaluate(context));
}

/// <summary><c>a and b</c>, <c>a or b</c>: the value that decides.</summary>
internal sealed class LogicExpression(int line, bool isAnd, Expression left, Expression right) : Expression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(RenderContext context)
    {
        object? first = left.Evaluate(context);
        return Values.IsTrue(first) == isAnd ? right.Evaluate(context) : first;
    }
}

/// <summary><c>-value</c>, <c>+value</c>.</summary>
internal sealed class SignExpression(int line, string operation, Expression value) : Expression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(RenderContext context) => Arithmetic.Sign(context, operation, value.Evaluate(context));
}

/// <summary><c>a + b</c> and its like.</summary>
internal sealed class ArithmeticExpression(int line, string operation, Expression left, Expression right) : Expression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(RenderContext context)
    {
        object? a = left.Evaluate(context);
        object? b = right.Evaluate(context);
        context.Line = Line;
        return Arithmetic.Apply(context, operation, a, b);
    }
}

/// <summary><c>a ~ b ~ c</c>: the texts, one after the other.</summary>
internal sealed class ConcatenationExpression(int line, IReadOnlyList<Expression> parts) : Expression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(RenderContext context)
    {
        var texts = new string[parts.Count];
        for (int i = 0; i < texts.Length; i++)
        {
            texts[i] = Values.ToText(context, parts[i].Evaluate(context));
        }

        context.Line = Line;
        context.ChargeText(texts.Sum(text => (long)text.Length));
        return string.Concat(texts);
    }
}

/// <summary><c>a &lt; b &lt;= c</c>: every neighbour is compared, each value computed once.</summary>
internal sealed class ComparisonExpression(int line, Expression first, IReadOnlyList<(string Operator, Expression Value)> others)
    : Expression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(RenderContext context)
    {
        object? left = first.Evaluate(context);
        foreach ((string operation, Expression value) in others)
        {
            object? right = value.Evaluate(context);
            context.Line = Line;
            bool holds = operation switch
            {
                "==" => Values.AreEqual(context, left, right),
                "!=" => !Values.AreEqual(context, left, right),
                "<" => Values.Compare(context, left, right) < 0,
                "<=" => Values.Compare(context, left, right) <= 0,
                ">" => Values.Compare(context, left, right) > 0,
                ">=" => Values.Compare(context, left, right) >= 0,
                "in" => Values.Contains(context, right, left),
                _ => !Values.Contains(context, right, left),
            };
            if (!holds)
            {
                return false;
            }

            left = right;
        }

        return true;
    }
}

/// <summary><c>value if condition else other</c>.</summary>
internal sealed class ConditionalExpression(int line, Expression condition, Expression value, Expression? otherwise) : Expression(line)
{
    /// <inheritdoc/>
    protected override object? Compute(RenderContext context) =>
        Values.IsTrue(condition.Evaluate(context)) ? value.Evaluate(context)
        : otherwise is null ? new Undefined("an 'if' without 'else' whose condition is false") : otherwise.Evaluate(context);
}
