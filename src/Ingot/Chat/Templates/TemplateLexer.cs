using System.Globalization;
using System.Text;

namespace Ingot.Chat.Templates;

/// <summary>
/// Cuts a template into tokens. White space around tags goes as Jinja2 has it with trim_blocks and lstrip_blocks, the settings of Hugging
/// Face's libraries: a tag or comment takes the white space before it on its line and the line end after it, <c>-</c> takes all white
/// space, <c>+</c> none. The template's last line end is dropped.
/// </summary>
internal sealed class TemplateLexer
{
    // Longest first.
    private static readonly string[] Operators =
    [
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "(", ")", "[", "]", "{", "}", ">", "<", "=", ".", ":", "|", ",",
    ];

    private readonly string _name;
    private readonly string _source;
    private readonly List<TemplateToken> _tokens = [];
    private readonly Stack<char> _brackets = [];
    private int _position;
    private int _line = 1;
    private int _counted; // Line ends before this place are in _line.
    private bool _atLineStart = true; // Whether what was read last ended with a line end.

    private TemplateLexer(string name, string source)
    {
        _name = name;
        _source = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        if (_source.EndsWith('\n'))
        {
            _source = _source[..^1];
        }
    }

    /// <summary>Reads all tokens; the last is the template's end.</summary>
    /// <exception cref="TemplateException">Something in a tag is no token, or a tag, comment or string does not end.</exception>
    public static List<TemplateToken> Read(string name, string source)
    {
        var lexer = new TemplateLexer(name, source);
        while (lexer.ReadNext())
        {
        }

        return lexer._tokens;
    }

    // One stretch of text and the tag after it; false at the end.
    private bool ReadNext()
    {
        int tag = FindTag(_position);
        if (tag < 0)
        {
            AddText(_source[_position..]);
            _position = _source.Length;
            Add(TokenKind.End, "");
            return false;
        }

        char kind = _source[tag + 1];
        char sign = tag + 2 < _source.Length && _source[tag + 2] is '-' or '+' ? _source[tag + 2] : ' ';
        AddText(BeforeTag(_source[_position..tag], sign, isOutput: kind == '{'));
        int line = LineAt(tag);
        _position = tag + (sign == ' ' ? 2 : 3);
        if (kind == '#')
        {
            SkipComment(line);
        }
        else if (kind == '%' && SkipWord("raw"))
        {
            ReadRaw(line);
        }
        else
        {
            _tokens.Add(new TemplateToken(kind == '{' ? TokenKind.OutputStart : TokenKind.TagStart, "", line));
            ReadInside(isOutput: kind == '{', line);
        }

        return true;
    }

    private int FindTag(int from)
    {
        for (int at = from; (at = _source.IndexOf('{', at)) >= 0 && at + 1 < _source.Length; at++)
        {
            if (_source[at + 1] is '{' or '%' or '#')
            {
                return at;
            }
        }

        return -1;
    }

    private string BeforeTag(string text, char sign, bool isOutput)
    {
        if (sign == '-')
        {
            return text[..PythonText.EndWithoutSpace(text)];
        }

        int lineStart = text.LastIndexOf('\n') + 1;
        bool onlySpaceBefore = (lineStart > 0 || _atLineStart) && PythonText.EndWithoutSpace(text) <= lineStart;
        return sign == ' ' && !isOutput && onlySpaceBefore ? text[..lineStart] : text;
    }

    private void SkipComment(int line)
    {
        int end = _source.IndexOf("#}", _position, StringComparison.Ordinal);
        if (end < 0)
        {
            throw Error(line, "the comment that begins here has no end: #} is missing");
        }

        char sign = end > _position ? _source[end - 1] : ' ';
        _position = end + 2;
        AfterTag(sign);
    }

    // After {% come the word and the tag's end; otherwise nothing is skipped.
    private bool SkipWord(string word)
    {
        int at = SkipSpace(_position);
        if (string.CompareOrdinal(_source, at, word, 0, word.Length) != 0)
        {
            return false;
        }

        at = SkipSpace(at + word.Length);
        int dash = at < _source.Length && _source[at] == '-' ? 1 : 0;
        if (string.CompareOrdinal(_source, at + dash, "%}", 0, 2) != 0)
        {
            return false;
        }

        _position = at + dash + 2;
        if (dash == 1)
        {
            _position = SkipSpace(_position);
        }

        return true;
    }

    private void ReadRaw(int line)
    {
        for (int at = _position; (at = _source.IndexOf("{%", at, StringComparison.Ordinal)) >= 0; at += 2)
        {
            char sign = at + 2 < _source.Length && _source[at + 2] is '-' or '+' ? _source[at + 2] : ' ';
            int word = SkipSpace(at + (sign == ' ' ? 2 : 3));
            if (string.CompareOrdinal(_source, word, "endraw", 0, 6) != 0)
            {
                continue;
            }

            int end = SkipSpace(word + 6);
            char endSign = end < _source.Length && _source[end] is '-' or '+' ? _source[end++] : ' ';
            if (string.CompareOrdinal(_source, end, "%}", 0, 2) != 0)
            {
                continue;
            }

            _atLineStart = false;
            AddText(BeforeTag(_source[_position..at], sign, isOutput: false));
            _position = end + 2;
            AfterTag(endSign);
            return;
        }

        throw Error(line, "the raw block that begins here has no {% endraw %}");
    }

    private void AfterTag(char sign)
    {
        int start = _position;
        if (sign == '-')
        {
            _position = SkipSpace(_position);
        }
        else if (sign != '+' && _position < _source.Length && _source[_position] == '\n')
        {
            _position++;
        }

        _atLineStart = _position > start && _source[_position - 1] == '\n';
    }

    private void ReadInside(bool isOutput, int line)
    {
        _brackets.Clear();
        string end = isOutput ? "}}" : "%}";
        while (true)
        {
            _position = SkipSpace(_position);
            if (_position >= _source.Length)
            {
                throw Error(line, $"the {(isOutput ? "output {{" : "tag {%")} that begins here has no end: {end} is missing");
            }

            if (_brackets.Count == 0 && AtEnd(end, isOutput, out char sign))
            {
                Add(isOutput ? TokenKind.OutputEnd : TokenKind.TagEnd, "");
                _position += sign == ' ' ? 2 : 3;
                if (!isOutput)
                {
                    AfterTag(sign);
                }
                else
                {
                    int start = _position;
                    _position = sign == '-' ? SkipSpace(_position) : _position;
                    _atLineStart = _position > start && _source[_position - 1] == '\n';
                }

                return;
            }

            ReadToken();
        }
    }

    private bool AtEnd(string end, bool isOutput, out char sign)
    {
        sign = _source[_position] is '-' || (_source[_position] is '+' && !isOutput) ? _source[_position] : ' ';
        return string.CompareOrdinal(_source, _position + (sign == ' ' ? 0 : 1), end, 0, 2) == 0;
    }

    private void ReadToken()
    {
        char c = _source[_position];
        if (char.IsLetter(c) || c == '_')
        {
            int start = _position;
            int end = start;
            while (end < _source.Length && (char.IsLetterOrDigit(_source[end]) || _source[end] == '_'))
            {
                end++;
            }

            Add(TokenKind.Name, _source[start..end]);
            _position = end;
        }
        else if (char.IsAsciiDigit(c))
        {
            ReadNumber();
        }
        else if (c is '\'' or '"')
        {
            ReadString(c);
        }
        else
        {
            ReadOperator();
        }
    }

    private void ReadNumber()
    {
        int end = SkipDigits(_position);
        bool isFloat = false;
        if (end + 1 < _source.Length && _source[end] == '.' && char.IsAsciiDigit(_source[end + 1]))
        {
            isFloat = true;
            end = SkipDigits(end + 1);
        }

        if (end < _source.Length && _source[end] is 'e' or 'E')
        {
            int digits = end + 1 < _source.Length && _source[end + 1] is '+' or '-' ? end + 2 : end + 1;
            if (digits < _source.Length && char.IsAsciiDigit(_source[digits]))
            {
                isFloat = true;
                end = SkipDigits(digits);
            }
        }

        Add(isFloat ? TokenKind.Float : TokenKind.Integer, _source[_position..end].Replace("_", "", StringComparison.Ordinal));
        _position = end;
    }

    private int SkipDigits(int at)
    {
        while (at < _source.Length && (char.IsAsciiDigit(_source[at]) || _source[at] == '_'))
        {
            at++;
        }

        return at;
    }

    private void ReadString(char quote)
    {
        int line = LineAt(_position);
        var value = new StringBuilder();
        int at = _position + 1;
        while (at < _source.Length && _source[at] != quote)
        {
            if (_source[at] == '\\' && at + 1 < _source.Length)
            {
                at = ReadEscape(at + 1, value, line);
            }
            else
            {
                value.Append(_source[at++]);
            }
        }

        if (at >= _source.Length)
        {
            throw Error(line, $"the string that begins here has no end: {quote} is missing");
        }

        _tokens.Add(new TemplateToken(TokenKind.String, value.ToString(), line));
        _position = at + 1;
    }

    // Python's escapes; one that it does not know stays as it is.
    private int ReadEscape(int at, StringBuilder value, int line)
    {
        char c = _source[at];
        const string Plain = "\\'\"abfnrtv";
        const string Meaning = "\\'\"\a\b\f\n\r\t\v";
        int plain = Plain.IndexOf(c, StringComparison.Ordinal);
        if (plain >= 0)
        {
            value.Append(Meaning[plain]);
            return at + 1;
        }

        int digits = c switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
        if (digits > 0)
        {
            string number = at + 1 + digits <= _source.Length ? _source.Substring(at + 1, digits) : "";
            if (!uint.TryParse(number, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint code) || code > 0x10FFFF)
            {
                throw Error(line, $"\\{c} in a string wants {digits} hexadecimal digits of a character");
            }

            value.Append(code is >= 0xD800 and <= 0xDFFF ? ((char)code).ToString() : char.ConvertFromUtf32((int)code));
            return at + 1 + digits;
        }

        if (c is >= '0' and <= '7')
        {
            int code = 0;
            int end = at;
            while (end < Math.Min(at + 3, _source.Length) && _source[end] is >= '0' and <= '7')
            {
                code = (8 * code) + (_source[end++] - '0');
            }

            value.Append((char)code);
            return end;
        }

        if (c == 'N')
        {
            throw Error(line, "\\N{…}, a character by its name, is not supported in strings: write \\u and its number");
        }

        if (c != '\n')
        {
            value.Append('\\').Append(c);
        }

        return at + 1;
    }

    private void ReadOperator()
    {
        string? text = Array.Find(Operators, text => string.CompareOrdinal(_source, _position, text, 0, text.Length) == 0);
        if (text is null)
        {
            throw Error(LineAt(_position), $"unexpected character '{_source[_position]}' in a tag");
        }

        switch (text[0])
        {
            case '(' or '[' or '{':
                _brackets.Push(text[0] switch { '(' => ')', '[' => ']', _ => '}' });
                break;
            case ')' or ']' or '}':
                if (!_brackets.TryPop(out char expected) || expected != text[0])
                {
                    throw Error(LineAt(_position),
                        $"unexpected '{text}'{(expected == '\0' ? "" : $": '{expected}' is missing before it")}");
                }

                break;
        }

        Add(TokenKind.Operator, text);
        _position += text.Length;
    }

    private void Add(TokenKind kind, string text) => _tokens.Add(new TemplateToken(kind, text, LineAt(_position)));

    private void AddText(string text)
    {
        if (text.Length > 0)
        {
            Add(TokenKind.Text, text);
        }
    }

    private int SkipSpace(int at)
    {
        while (at < _source.Length && PythonText.IsSpace(_source[at]))
        {
            at++;
        }

        return at;
    }

    private int LineAt(int position)
    {
        for (; _counted < position; _counted++)
        {
            _line += _source[_counted] == '\n' ? 1 : 0;
        }

        return _line;
    }

    private TemplateException Error(int line, string problem) => new(_name, line, problem);
}
