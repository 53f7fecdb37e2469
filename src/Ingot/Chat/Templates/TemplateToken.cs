namespace Ingot.Chat.Templates;

/// <summary>What a token of a template is.</summary>
internal enum TokenKind
{
    /// <summary>Text outside all tags, which is written as it is.</summary>
    Text,

    /// <summary><c>{{</c></summary>
    OutputStart,

    /// <summary><c>}}</c></summary>
    OutputEnd,

    /// <summary><c>{%</c></summary>
    TagStart,

    /// <summary><c>%}</c></summary>
    TagEnd,

    /// <summary>A name or keyword.</summary>
    Name,

    /// <summary>A string; the token's text is its value.</summary>
    String,

    /// <summary>A whole number.</summary>
    Integer,

    /// <summary>A number with a point or an exponent.</summary>
    Float,

    /// <summary>An operator or punctuation mark.</summary>
    Operator,

    /// <summary>The template's end.</summary>
    End,
}

/// <summary>A token of a template.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">Its text; of a string its value.</param>
/// <param name="Line">The line on which it begins, counted from 1.</param>
internal readonly record struct TemplateToken(TokenKind Kind, string Text, int Line)
{
    /// <summary>Whether it is this operator.</summary>
    public bool IsOperator(string text) => Kind == TokenKind.Operator && Text == text;

    /// <summary>Whether it is this name.</summary>
    public bool IsName(string text) => Kind == TokenKind.Name && Text == text;

    /// <summary>The token as an error shows it.</summary>
    public override string ToString() => Kind switch
    {
        TokenKind.Text => "text",
        TokenKind.OutputStart => "{{",
        TokenKind.OutputEnd => "}}",
        TokenKind.TagStart => "{%",
        TokenKind.TagEnd => "%}",
        TokenKind.String => $"the string '{(Text.Length > 40 ? Text[..40] + "…" : Text)}'",
        TokenKind.End => "the end of the template",
        _ => $"'{Text}'",
    };
}
