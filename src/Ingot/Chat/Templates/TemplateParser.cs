using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Ingot.Chat.Templates;

/// <summary>
/// Turns a template's tokens into statements, with Jinja2's grammar; constructs that are not supported are errors that name them.
/// </summary>
internal sealed class TemplateParser
{
    private const int DeepestNesting = 100;

    private readonly string _name;
    private readonly List<TemplateToken> _tokens;
    private int _next;
    private int _depth;
    private bool _hasGeneration;
    private int _loops; // Loops around this place, as far as break and continue reach.

    private TemplateParser(string name, string source)
    {
        _name = name;
        _tokens = TemplateLexer.Read(name, source);
    }

    private TemplateToken Token => _tokens[_next];

    /// <summary>Reads a template.</summary>
    /// <param name="name">Its name, for errors.</param>
    /// <param name="source">Its text.</param>
    /// <param name="hasGeneration">Whether it marks what the model writes.</param>
    /// <exception cref="TemplateException">The template is wrong, or asks for something that is not supported.</exception>
    public static Block Parse(string name, string source, out bool hasGeneration)
    {
        var parser = new TemplateParser(name, source);
        Block block = parser.ParseBlock();
        hasGeneration = parser._hasGeneration;
        return parser.Token.Kind == TokenKind.End
            ? block
            : throw parser.Error($"{{% {parser._tokens[parser._next + 1].Text} %}} without its beginning");
    }

    // Statements up to the tag that is not one of theirs, such as {% endif %}, which stays.
    private Block ParseBlock(params ReadOnlySpan<string> ends)
    {
        int line = _next > 0 ? _tokens[_next - 1].Line : 1;
        var statements = new List<Statement>();
        Enter();
        while (true)
        {
            TemplateToken token = Token;
            switch (token.Kind)
            {
                case TokenKind.Text:
                    _next++;
                    statements.Add(new TextStatement(token.Line, token.Text));
                    break;
                case TokenKind.OutputStart:
                    _next++;
                    statements.Add(new OutputStatement(token.Line, ParseTuple()));
                    Expect(TokenKind.OutputEnd);
                    break;
                case TokenKind.TagStart when _tokens[_next + 1] is { Kind: TokenKind.Name } tag && !IsEnd(tag.Text, ends):
                    _next += 2;
                    statements.Add(ParseStatement(tag));
                    break;
                case TokenKind.TagStart when _tokens[_next + 1].Kind != TokenKind.Name:
                    throw new TemplateException(_name, token.Line, "a tag begins with a name, such as {% if %}");
                case TokenKind.End when ends.Length > 0:
                    throw new TemplateException(_name, line, $"the block that begins here does not end: {{% {ends[^1]} %}} is missing");
                default:
                    Leave();
                    return new Block(line, statements);
            }
        }
    }

    private static bool IsEnd(string name, ReadOnlySpan<string> ends) =>
        ends.Contains(name) || name.StartsWith("end", StringComparison.Ordinal) || name is "else" or "elif";

    private Statement ParseStatement(TemplateToken tag)
    {
        switch (tag.Text)
        {
            case "if":
                return ParseIf(tag.Line);
            case "for":
                return ParseFor(tag.Line);
            case "set":
                return ParseSet(tag.Line);
            case "macro":
                return ParseMacro(tag.Line);
            case "call":
                return ParseCall(tag.Line);
            case "filter":
                FilterExpression filter = ParseFilterChain();
                EndTag();
                return new FilterStatement(tag.Line, filter, ParseOutsideLoops("endfilter"));
            case "with":
                return ParseWith(tag.Line);
            case "generation":
                _hasGeneration = true;
                EndTag();
                Block body = ParseBlock("endgeneration");
                End("endgeneration");
                return new GenerationStatement(tag.Line, body);
            case "break" or "continue":
                EndTag();
                return _loops > 0
                    ? new FlowStatement(tag.Line, tag.Text == "break" ? Flow.Break : Flow.Continue)
                    : throw new TemplateException(_name, tag.Line, $"{{% {tag.Text} %}} outside a loop");
            default:
                throw new TemplateException(_name, tag.Line,
                    $"{{% {tag.Text} %}} is not supported: there are if, for, break, continue, set, macro, call, filter, with, generation "
                    + "and raw");
        }
    }

    private IfStatement ParseIf(int line)
    {
        var branches = new List<(Expression, Block)>();
        Block? otherwise = null;
        while (true)
        {
            Expression condition = ParseTuple(withConditional: false);
            EndTag();
            branches.Add((condition, ParseBlock("elif", "else", "endif")));
            string end = NextTag("elif", "else", "endif");
            if (end == "else")
            {
                EndTag();
                otherwise = ParseBlock("endif");
                end = NextTag("endif");
            }

            if (end == "endif")
            {
                EndTag();
                return new IfStatement(line, branches, otherwise);
            }
        }
    }

    private ForStatement ParseFor(int line)
    {
        Expression target = ParseTarget(withNamespace: false);
        ExpectName("in");
        Expression values = ParseTuple(withConditional: false);
        Expression? condition = SkipName("if") ? ParseExpression() : null;
        bool isRecursive = SkipName("recursive");
        EndTag();
        _loops++;
        Block body = ParseBlock("else", "endfor");
        _loops--;
        Block? otherwise = null;
        if (NextTag("else", "endfor") == "else")
        {
            EndTag();
            otherwise = ParseBlock("endfor");
            NextTag("endfor");
        }

        EndTag();
        return new ForStatement(line, target, values, condition, body, otherwise, isRecursive);
    }

    private Statement ParseSet(int line)
    {
        Expression target = ParseTarget(withNamespace: true);
        if (SkipOperator("="))
        {
            Expression value = ParseTuple();
            EndTag();
            return new SetStatement(line, target, value);
        }

        FilterExpression? filter = SkipOperator("|") ? ParseFilterChain() : null;
        EndTag();
        return new SetBlockStatement(line, target, filter, ParseOutsideLoops("endset"));
    }

    private MacroStatement ParseMacro(int line)
    {
        string name = ExpectName();
        List<(string, Expression?)> parameters = ParseParameters();
        EndTag();
        return new MacroStatement(line, new MacroDefinition(name, parameters, ParseOutsideLoops("endmacro")));
    }

    private CallStatement ParseCall(int line)
    {
        List<(string, Expression?)> parameters = Token.IsOperator("(") ? ParseParameters() : [];
        CallExpression call = ParseExpression() as CallExpression
            ?? throw new TemplateException(_name, line, "{% call %} wants the call of a macro");
        EndTag();
        return new CallStatement(line, call, new MacroDefinition("caller", parameters, ParseOutsideLoops("endcall")));
    }

    private WithStatement ParseWith(int line)
    {
        var values = new List<(Expression, Expression)>();
        while (Token.Kind != TokenKind.TagEnd)
        {
            if (values.Count > 0)
            {
                ExpectOperator(",");
            }

            Expression target = ParseTarget(withNamespace: false);
            ExpectOperator("=");
            values.Add((target, ParseExpression()));
        }

        EndTag();
        Block body = ParseBlock("endwith");
        End("endwith");
        return new WithStatement(line, values, body);
    }

    private List<(string Name, Expression? Default)> ParseParameters()
    {
        var parameters = new List<(string, Expression?)>();
        ExpectOperator("(");
        while (!SkipOperator(")"))
        {
            if (parameters.Count > 0)
            {
                ExpectOperator(",");
            }

            string name = ExpectName();
            parameters.Add((name, SkipOperator("=") ? ParseExpression() : null));
        }

        return parameters;
    }

    // The body of what is rendered by itself, where break and continue have no loop.
    private Block ParseOutsideLoops(string end)
    {
        (int loops, _loops) = (_loops, 0);
        Block body = ParseBlock(end);
        End(end);
        _loops = loops;
        return body;
    }

    private Expression ParseTarget(bool withNamespace)
    {
        int line = Token.Line;
        bool inBrackets = SkipOperator("(");
        var targets = new List<Expression>();
        bool isTuple = false;
        do
        {
            if (targets.Count > 0 && Token.Kind != TokenKind.Name && !Token.IsOperator("("))
            {
                break;
            }

            targets.Add(Token.IsOperator("(") ? ParseNested(withNamespace) : ParseOneTarget(withNamespace));
            isTuple |= Token.IsOperator(",");
        }
        while (SkipOperator(","));
        if (inBrackets)
        {
            ExpectOperator(")");
        }

        return isTuple ? new ListExpression(line, targets, isTuple: true) : targets[0];
    }

    private Expression ParseNested(bool withNamespace)
    {
        Enter();
        Expression target = ParseTarget(withNamespace);
        Leave();
        return target;
    }

    private Expression ParseOneTarget(bool withNamespace)
    {
        int line = Token.Line;
        string name = ExpectName();
        if (name is "true" or "false" or "none" or "True" or "False" or "None")
        {
            throw new TemplateException(_name, line, $"'{name}' cannot be set");
        }

        return withNamespace && SkipOperator(".") ? new NamespaceTarget(line, name, ExpectName()) : new NameExpression(line, name);
    }

    // Expressions between commas are a tuple.
    private Expression ParseTuple(bool withConditional = true)
    {
        int line = Token.Line;
        Expression first = ParseExpression(withConditional);
        if (!Token.IsOperator(","))
        {
            return first;
        }

        var items = new List<Expression> { first };
        while (SkipOperator(",") && Token.Kind is not (TokenKind.OutputEnd or TokenKind.TagEnd) && !Token.IsOperator(")"))
        {
            items.Add(ParseExpression(withConditional));
        }

        return new ListExpression(line, items, isTuple: true);
    }

    private Expression ParseExpression(bool withConditional = true)
    {
        Enter();
        int line = Token.Line;
        Expression value = ParseOr();
        while (withConditional && SkipName("if"))
        {
            Expression condition = ParseOr();
            Expression? otherwise = SkipName("else") ? ParseExpression() : null;
            value = new ConditionalExpression(line, condition, value, otherwise);
        }

        Leave();
        return value;
    }

    private Expression ParseOr()
    {
        Expression left = ParseAnd();
        while (Token.IsName("or"))
        {
            int line = Take().Line;
            left = new LogicExpression(line, isAnd: false, left, ParseAnd());
        }

        return left;
    }

    private Expression ParseAnd()
    {
        Expression left = ParseNot();
        while (Token.IsName("and"))
        {
            int line = Take().Line;
            left = new LogicExpression(line, isAnd: true, left, ParseNot());
        }

        return left;
    }

    private Expression ParseNot()
    {
        if (!Token.IsName("not"))
        {
            return ParseComparison();
        }

        Enter();
        int line = Take().Line;
        var not = new NotExpression(line, ParseNot());
        Leave();
        return not;
    }

    private Expression ParseComparison()
    {
        int line = Token.Line;
        Expression first = ParseSum();
        var others = new List<(string, Expression)>();
        while (true)
        {
            string operation;
            if (Token.Kind == TokenKind.Operator && Token.Text is "==" or "!=" or "<" or ">" or "<=" or ">=")
            {
                operation = Take().Text;
            }
            else if (SkipName("in"))
            {
                operation = "in";
            }
            else if (Token.IsName("not") && _tokens[_next + 1].IsName("in"))
            {
                _next += 2;
                operation = "not in";
            }
            else
            {
                return others.Count == 0 ? first : new ComparisonExpression(line, first, others);
            }

            others.Add((operation, ParseSum()));
        }
    }

    private Expression ParseSum()
    {
        Expression left = ParseConcatenation();
        while (Token.Kind == TokenKind.Operator && Token.Text is "+" or "-")
        {
            TemplateToken operation = Take();
            left = new ArithmeticExpression(operation.Line, operation.Text, left, ParseConcatenation());
        }

        return left;
    }

    private Expression ParseConcatenation()
    {
        int line = Token.Line;
        Expression first = ParseProduct();
        if (!Token.IsOperator("~"))
        {
            return first;
        }

        var parts = new List<Expression> { first };
        while (SkipOperator("~"))
        {
            parts.Add(ParseProduct());
        }

        return new ConcatenationExpression(line, parts);
    }

    private Expression ParseProduct()
    {
        Expression left = ParsePower();
        while (Token.Kind == TokenKind.Operator && Token.Text is "*" or "/" or "//" or "%")
        {
            TemplateToken operation = Take();
            left = new ArithmeticExpression(operation.Line, operation.Text, left, ParsePower());
        }

        return left;
    }

    private Expression ParsePower()
    {
        Expression left = ParseUnary(withFilters: true);
        while (Token.IsOperator("**"))
        {
            int line = Take().Line;
            left = new ArithmeticExpression(line, "**", left, ParseUnary(withFilters: true));
        }

        return left;
    }

    private Expression ParseUnary(bool withFilters)
    {
        Expression value;
        if (Token.Kind == TokenKind.Operator && Token.Text is "-" or "+")
        {
            Enter();
            TemplateToken sign = Take();
            value = new SignExpression(sign.Line, sign.Text, ParseUnary(withFilters: false));
            Leave();
        }
        else
        {
            value = ParsePrimary();
        }

        value = ParsePostfix(value);
        while (withFilters)
        {
            if (SkipOperator("|"))
            {
                value = ParseFilter(value);
            }
            else if (Token.IsName("is"))
            {
                _next++;
                value = ParseTest(value);
            }
            else if (Token.IsOperator("("))
            {
                value = ParsePostfix(value);
            }
            else
            {
                break;
            }
        }

        return value;
    }

    private Expression ParsePrimary()
    {
        TemplateToken token = Take();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return token.Text switch
                {
                    "true" or "True" => new LiteralExpression(token.Line, true),
                    "false" or "False" => new LiteralExpression(token.Line, false),
                    "none" or "None" => new LiteralExpression(token.Line, null),
                    _ => new NameExpression(token.Line, token.Text),
                };
            case TokenKind.String:
                return new LiteralExpression(token.Line, token.Text + ParseMoreStrings());
            case TokenKind.Integer:
                return long.TryParse(token.Text, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
                    ? new LiteralExpression(token.Line, number)
                    : throw new TemplateException(
                        _name, token.Line, $"the number {token.Text[..Math.Min(40, token.Text.Length)]} has more than 64 bits");
            case TokenKind.Float:
                return new LiteralExpression(token.Line, double.Parse(token.Text, NumberStyles.Float, CultureInfo.InvariantCulture));
            case TokenKind.Operator when token.Text == "(":
                return ParseBrackets(token.Line);
            case TokenKind.Operator when token.Text == "[":
                return new ListExpression(token.Line, ParseItems(), isTuple: false);
            case TokenKind.Operator when token.Text == "{":
                return new DictionaryExpression(token.Line, ParsePairs());
            default:
                throw new TemplateException(_name, token.Line, $"a value is expected, not {token}");
        }
    }

    // Strings beside each other are one.
    private string ParseMoreStrings()
    {
        var text = new StringBuilder();
        while (Token.Kind == TokenKind.String)
        {
            text.Append(Take().Text);
        }

        return text.ToString();
    }

    private Expression ParseBrackets(int line)
    {
        if (SkipOperator(")"))
        {
            return new ListExpression(line, [], isTuple: true);
        }

        Expression inside = ParseTuple();
        ExpectOperator(")");
        return inside;
    }

    private List<Expression> ParseItems()
    {
        var items = new List<Expression>();
        while (!SkipOperator("]"))
        {
            if (items.Count > 0)
            {
                ExpectOperator(",");
                if (SkipOperator("]"))
                {
                    break;
                }
            }

            items.Add(ParseExpression());
        }

        return items;
    }

    private List<(Expression, Expression)> ParsePairs()
    {
        var pairs = new List<(Expression, Expression)>();
        while (!SkipOperator("}"))
        {
            if (pairs.Count > 0)
            {
                ExpectOperator(",");
                if (SkipOperator("}"))
                {
                    break;
                }
            }

            Expression key = ParseExpression();
            ExpectOperator(":");
            pairs.Add((key, ParseExpression()));
        }

        return pairs;
    }

    private Expression ParsePostfix(Expression value)
    {
        for (int length = 0; Token.Kind == TokenKind.Operator; length++)
        {
            int line = Token.Line;
            if (length > DeepestNesting)
            {
                throw Error($"more than {DeepestNesting} attributes, indices and calls one behind the other");
            }

            if (SkipOperator("."))
            {
                value = Token.Kind == TokenKind.Integer
                    ? new ItemExpression(line, value, ParsePrimary())
                    : new AttributeExpression(line, value, ExpectName());
            }
            else if (SkipOperator("["))
            {
                value = ParseSubscript(line, value);
            }
            else if (SkipOperator("("))
            {
                value = new CallExpression(line, value, ParseArguments());
            }
            else
            {
                break;
            }
        }

        return value;
    }

    private Expression ParseSubscript(int line, Expression value)
    {
        Expression? from = Token.IsOperator(":") ? null : ParseExpression();
        if (SkipOperator("]"))
        {
            return new ItemExpression(line, value, from ?? throw Error("an index is missing"));
        }

        ExpectOperator(":");
        Expression? to = Token.IsOperator(":") || Token.IsOperator("]") ? null : ParseExpression();
        Expression? step = SkipOperator(":") && !Token.IsOperator("]") ? ParseExpression() : null;
        ExpectOperator("]");
        return new SliceExpression(line, value, from, to, step);
    }

    private ArgumentExpressions ParseArguments()
    {
        var positional = new List<Expression>();
        var named = new List<(string, Expression)>();
        while (!SkipOperator(")"))
        {
            if (positional.Count + named.Count > 0)
            {
                ExpectOperator(",");
                if (SkipOperator(")"))
                {
                    break;
                }
            }

            if (Token.IsOperator("*") || Token.IsOperator("**"))
            {
                throw Error($"{Token.Text} before an argument is not supported: give the arguments one by one");
            }

            if (Token.Kind == TokenKind.Name && _tokens[_next + 1].IsOperator("="))
            {
                string name = Take().Text;
                _next++;
                named.Add((name, ParseExpression()));
            }
            else if (named.Count > 0)
            {
                throw Error("an argument without a name after one with a name");
            }
            else
            {
                positional.Add(ParseExpression());
            }
        }

        return new ArgumentExpressions(positional, named);
    }

    private FilterExpression ParseFilterChain()
    {
        FilterExpression filter = ParseFilter(null);
        while (SkipOperator("|"))
        {
            filter = ParseFilter(filter);
        }

        return filter;
    }

    private FilterExpression ParseFilter(Expression? value)
    {
        int line = Token.Line;
        string name = ExpectName();
        return Filters.Exists(name)
            ? new FilterExpression(line, value, name, SkipOperator("(") ? ParseArguments() : ArgumentExpressions.None)
            : throw new TemplateException(_name, line, $"the filter '{name}' is not supported");
    }

    private Expression ParseTest(Expression value)
    {
        bool isNegated = SkipName("not");
        int line = Token.Line;
        string name = ExpectName();
        if (!Tests.Exists(name))
        {
            throw new TemplateException(_name, line, $"the test '{name}' is not supported");
        }

        ArgumentExpressions arguments = ArgumentExpressions.None;
        if (SkipOperator("("))
        {
            arguments = ParseArguments();
        }
        else if (Token.Kind is TokenKind.String or TokenKind.Integer or TokenKind.Float
            || Token.IsOperator("[") || Token.IsOperator("{")
            || (Token.Kind == TokenKind.Name && Token.Text is not ("else" or "or" or "and" or "if" or "is" or "in" or "not")))
        {
            arguments = new ArgumentExpressions([ParsePostfix(ParsePrimary())], []);
        }

        var test = new TestExpression(line, value, name, arguments);
        return isNegated ? new NotExpression(line, test) : test;
    }

    private void Enter()
    {
        if (++_depth > DeepestNesting || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw Error($"nested more than {DeepestNesting} deep");
        }
    }

    private void Leave() => _depth--;

    private TemplateToken Take()
    {
        TemplateToken token = Token;
        if (token.Kind != TokenKind.End)
        {
            _next++;
        }

        return token;
    }

    private bool SkipOperator(string text)
    {
        bool found = Token.IsOperator(text);
        _next += found ? 1 : 0;
        return found;
    }

    private bool SkipName(string text)
    {
        bool found = Token.IsName(text);
        _next += found ? 1 : 0;
        return found;
    }

    private void Expect(TokenKind kind)
    {
        if (Token.Kind != kind)
        {
            throw Error($"unexpected {Token}");
        }

        _next++;
    }

    private void ExpectOperator(string text)
    {
        if (!SkipOperator(text))
        {
            throw Error($"'{text}' is expected, not {Token}");
        }
    }

    private void ExpectName(string text)
    {
        if (!SkipName(text))
        {
            throw Error($"'{text}' is expected, not {Token}");
        }
    }

    private string ExpectName() => Token.Kind == TokenKind.Name ? Take().Text : throw Error($"a name is expected, not {Token}");

    private void EndTag() => Expect(TokenKind.TagEnd);

    // {% and one of these words; the rest of the tag stays.
    private string NextTag(params ReadOnlySpan<string> expected)
    {
        string tag = _tokens[_next + 1].Text;
        if (!expected.Contains(tag))
        {
            throw Error($"{{% {tag} %}} where {{% {expected[^1]} %}} is expected");
        }

        _next += 2;
        return tag;
    }

    private void End(string tag)
    {
        NextTag(tag);
        EndTag();
    }

    private TemplateException Error(string problem) => new(_name, Token.Line, problem);
}
