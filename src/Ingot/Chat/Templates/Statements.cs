namespace Ingot.Chat.Templates;

/// <summary>How a statement ended.</summary>
internal enum Flow
{
    /// <summary>The next one follows.</summary>
    Next,

    /// <summary>The loop ends.</summary>
    Break,

    /// <summary>The loop's next turn follows.</summary>
    Continue,
}

/// <summary>A part of a template that writes or does something.</summary>
/// <param name="line">Where it stands.</param>
internal abstract class Statement(int line)
{
    /// <summary>The line on which it stands.</summary>
    public int Line { get; } = line;

    /// <summary>Does it.</summary>
    public Flow Execute(RenderContext context)
    {
        context.Charge(RenderContext.StepWork);
        context.CheckStack();
        context.Line = Line;
        return Run(context);
    }

    /// <summary>Does it.</summary>
    protected abstract Flow Run(RenderContext context);
}

/// <summary>Statements one after the other.</summary>
internal sealed class Block(int line, IReadOnlyList<Statement> statements) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Run(RenderContext context)
    {
        foreach (Statement statement in statements)
        {
            if (statement.Execute(context) is var flow and not Flow.Next)
            {
                return flow;
            }
        }

        return Flow.Next;
    }

    /// <summary>What the block writes, with names of its own.</summary>
    public string Capture(RenderContext context, Scope scope) => context.Capture(() => context.InScope(scope, () => Execute(context)));
}

/// <summary>Text outside tags.</summary>
internal sealed class TextStatement(int line, string text) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Run(RenderContext context)
    {
        context.Write(text);
        return Flow.Next;
    }
}

/// <summary><c>{{ value }}</c>.</summary>
internal sealed class OutputStatement(int line, Expression value) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Run(RenderContext context)
    {
        object? written = value.Evaluate(context);
        context.Line = Line;
        context.Write(Values.ToText(context, written));
        return Flow.Next;
    }
}

/// <summary><c>{% if %}</c> with its branches.</summary>
internal sealed class IfStatement(int line, IReadOnlyList<(Expression Condition, Block Body)> branches, Block? otherwise) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Run(RenderContext context)
    {
        foreach ((Expression condition, Block body) in branches)
        {
            if (Values.IsTrue(condition.Evaluate(context)))
            {
                return body.Execute(context);
            }
        }

        return otherwise?.Execute(context) ?? Flow.Next;
    }
}

/// <summary><c>{% for target in values if condition %}</c> with its <c>{% else %}</c>.</summary>
internal sealed class ForStatement(
    int line, Expression target, Expression values, Expression? condition, Block body, Block? otherwise, bool isRecursive) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Run(RenderContext context)
    {
        object? all = values.Evaluate(context);
        context.Line = Line;
        Loop(context, all, 0);
        return Flow.Next;
    }

    private void Loop(RenderContext context, object? all, int depth)
    {
        IReadOnlyList<object?> items = Values.Elements(context, all);
        if (condition is not null)
        {
            var kept = new List<object?>();
            foreach (object? item in items)
            {
                context.Charge(RenderContext.TurnWork);
                var scope = new Scope(context.Scope);
                Targets.Assign(context, scope, target, item);
                context.InScope(scope, () =>
                {
                    if (Values.IsTrue(condition.Evaluate(context)))
                    {
                        kept.Add(item);
                    }
                });
            }

            items = kept;
        }

        if (items.Count == 0)
        {
            otherwise?.Execute(context);
            return;
        }

        Scope outer = context.Scope;
        Func<RenderContext, object?, int, string>? again = isRecursive
            ? (inner, values, deeper) => inner.Capture(() => inner.InScope(outer, () => Loop(inner, values, deeper)))
            : null;
        var loop = new LoopValue(items, depth, again);
        for (int i = 0; i < items.Count; i++)
        {
            context.Charge(RenderContext.TurnWork);
            loop.Index = i;
            var scope = new Scope(outer);
            scope.Set("loop", loop);
            Targets.Assign(context, scope, target, items[i]);
            Flow flow = Flow.Next;
            context.InScope(scope, () => flow = body.Execute(context));
            if (flow == Flow.Break)
            {
                break;
            }
        }
    }
}

/// <summary><c>{% break %}</c> and <c>{% continue %}</c>.</summary>
internal sealed class FlowStatement(int line, Flow flow) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Run(RenderContext context) => flow;
}

/// <summary><c>{% set target = value %}</c>.</summary>
internal sealed class SetStatement(int line, Expression target, Expression value) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Run(RenderContext context)
    {
        object? assigned = value.Evaluate(context);
        context.Line = Line;
        Targets.Assign(context, context.Scope, target, assigned);
        return Flow.Next;
    }
}

/// <summary><c>{% set target | filter %}…{% endset %}</c>.</summary>
internal sealed class SetBlockStatement(int line, Expression target, FilterExpression? filter, Block body) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Run(RenderContext context)
    {
        string text = body.Capture(context, new Scope(context.Scope));
        Targets.Assign(context, context.Scope, target, filter is null ? text : filter.ApplyToBlock(context, text));
        return Flow.Next;
    }
}

/// <summary><c>{% filter name %}…{% endfilter %}</c>.</summary>
internal sealed class FilterStatement(int line, FilterExpression filter, Block body) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Run(RenderContext context)
    {
        context.Write(filter.ApplyToBlock(context, body.Capture(context, new Scope(context.Scope))));
        return Flow.Next;
    }
}

/// <summary><c>{% with a = 1 %}…{% endwith %}</c>.</summary>
internal sealed class WithStatement(int line, IReadOnlyList<(Expression Target, Expression Value)> values, Block body) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Run(RenderContext context)
    {
        var scope = new Scope(context.Scope);
        foreach ((Expression target, Expression value) in values)
        {
            Targets.Assign(context, scope, target, value.Evaluate(context));
        }

        Flow flow = Flow.Next;
        context.InScope(scope, () => flow = body.Execute(context));
        return flow;
    }
}

/// <summary>The parameters and the body of a macro or a call block.</summary>
internal sealed record MacroDefinition(string Name, IReadOnlyList<(string Name, Expression? Default)> Parameters, Block Body)
{
    /// <summary>Makes something to call, which sees the names around its definition.</summary>
    public Callable MakeCallable(Scope outer) => new(Name, (context, arguments) => context.Call(Name, () =>
    {
        var scope = new Scope(outer);
        var named = arguments.Named.ToDictionary(pair => pair.Key, pair => pair.Value, StringComparer.Ordinal);
        if (arguments.Positional.Count > Parameters.Count)
        {
            throw context.Error($"{Name} takes {Parameters.Count} arguments, not {arguments.Positional.Count}");
        }

        if (named.Remove("caller", out object? caller))
        {
            scope.Set("caller", caller);
        }

        for (int i = 0; i < Parameters.Count; i++)
        {
            (string parameter, Expression? @default) = Parameters[i];
            bool isNamed = named.Remove(parameter, out object? value);
            if (i < arguments.Positional.Count)
            {
                value = isNamed ? throw context.Error($"{Name} got its argument '{parameter}' twice") : arguments.Positional[i];
            }
            else if (!isNamed)
            {
                value = new Undefined(parameter);
                if (@default is not null)
                {
                    context.InScope(scope, () => value = @default.Evaluate(context));
                }
            }

            scope.Set(parameter, value);
        }

        return named.Count > 0 ? throw context.Error($"{Name} has no argument '{named.Keys.First()}'") : Body.Capture(context, scope);
    }));
}

/// <summary><c>{% macro name(parameters) %}…{% endmacro %}</c>.</summary>
internal sealed class MacroStatement(int line, MacroDefinition definition) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Run(RenderContext context)
    {
        context.Scope.Set(definition.Name, definition.MakeCallable(context.Scope));
        return Flow.Next;
    }
}

/// <summary><c>{% call(parameters) macro(arguments) %}…{% endcall %}</c>.</summary>
internal sealed class CallStatement(int line, CallExpression call, MacroDefinition caller) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Run(RenderContext context)
    {
        context.Write(Values.ToText(context, call.Call(context, caller.MakeCallable(context.Scope))));
        return Flow.Next;
    }
}

/// <summary><c>{% generation %}…{% endgeneration %}</c>: what the model writes, and so what it learns.</summary>
internal sealed class GenerationStatement(int line, Block body) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Run(RenderContext context)
    {
        Flow flow = Flow.Next;
        context.Generate(() => context.InScope(new Scope(context.Scope), () => flow = body.Execute(context)));
        return flow;
    }
}

/// <summary>Setting names: one, several at once, or an attribute of a namespace.</summary>
internal static class Targets
{
    /// <summary>Sets what a target names.</summary>
    /// <exception cref="TemplateException">The value has another number of elements than the target names, or is no namespace.</exception>
    public static void Assign(RenderContext context, Scope scope, Expression target, object? value)
    {
        switch (target)
        {
            case NameExpression name:
                scope.Set(name.Name, value);
                break;
            case NamespaceTarget attribute:
                attribute.Assign(context, value);
                break;
            case ListExpression several:
                IReadOnlyList<object?> items = Values.Elements(context, value);
                if (items.Count != several.Items.Count)
                {
                    throw context.Error($"{items.Count} values cannot be given to {several.Items.Count} names");
                }

                for (int i = 0; i < items.Count; i++)
                {
                    Assign(context, scope, several.Items[i], items[i]);
                }

                break;
        }
    }
}

/// <summary><c>name.attribute</c> as the target of <c>{% set %}</c>.</summary>
internal sealed class NamespaceTarget(int line, string name, string attribute) : Expression(line)
{
    /// <summary>Sets the attribute.</summary>
    /// <exception cref="TemplateException">The name is no namespace.</exception>
    public void Assign(RenderContext context, object? value)
    {
        context.Line = Line;
        if (!context.Scope.TryGet(name, out object? holder) || holder is not NamespaceValue space)
        {
            throw context.Error($"only attributes of namespaces can be set: {name} is {Values.Describe(holder)}, not made by namespace()");
        }

        space.Attributes[attribute] = value;
    }

    /// <inheritdoc/>
    protected override object? Compute(RenderContext context) => throw context.Error("a target has no value");
}
