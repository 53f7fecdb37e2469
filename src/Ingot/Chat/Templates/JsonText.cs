using System.Globalization;
using System.Text;

namespace Ingot.Chat.Templates;

/// <summary>The filter <c>tojson</c> of Hugging Face's templates: Python's <c>json.dumps</c> with <c>ensure_ascii=False</c>.</summary>
/// <param name="context">The rendering.</param>
/// <param name="indent">What a level is indented by, or null to write everything on one line.</param>
/// <param name="separators">What stands after an item and after a key, or null for the usual.</param>
/// <param name="sortKeys">Whether keys come in order.</param>
/// <param name="ensureAscii">Whether other characters than ASCII are escaped.</param>
internal sealed class JsonText(
    RenderContext context, string? indent, (string Item, string Key)? separators, bool sortKeys, bool ensureAscii)
{
    private readonly StringBuilder _output = new();
    private readonly (string Item, string Key) _separators = separators ?? (indent is null ? (", ", ": ") : (",", ": "));

    /// <summary>The JSON of a value.</summary>
    /// <exception cref="TemplateException">JSON has nothing of this kind.</exception>
    public string Write(object? value)
    {
        Append(value, 0);
        return _output.ToString();
    }

    private void Append(object? value, int level)
    {
        context.CheckStack();
        int start = _output.Length;
        switch (value)
        {
            case null:
                _output.Append("null");
                break;
            case bool flag:
                _output.Append(flag ? "true" : "false");
                break;
            case long number:
                _output.Append(CultureInfo.InvariantCulture, $"{number}");
                break;
            case double number:
                _output.Append(double.IsNaN(number) ? "NaN" : double.IsInfinity(number) ? number > 0 ? "Infinity" : "-Infinity"
                    : PythonText.OfDouble(number));
                break;
            case string text:
                AppendString(text);
                break;
            case ListValue list:
                AppendAll('[', ']', list.Items, level, item => Append(item, level + 1));
                break;
            case OrderedDictionary<string, object?> dictionary:
                IEnumerable<KeyValuePair<string, object?>> pairs =
                    sortKeys ? dictionary.OrderBy(pair => pair.Key, StringComparer.Ordinal) : dictionary;
                AppendAll('{', '}', [.. pairs], level, pair =>
                {
                    AppendString(pair.Key);
                    _output.Append(_separators.Key);
                    Append(pair.Value, level + 1);
                });
                break;
            default:
                throw context.Error($"tojson: {Values.Describe(value)} cannot be written as JSON");
        }

        context.ChargeText(_output.Length - start + 1);
    }

    private void AppendAll<T>(char open, char close, IReadOnlyList<T> items, int level, Action<T> append)
    {
        _output.Append(open);
        for (int i = 0; i < items.Count; i++)
        {
            _output.Append(i == 0 ? "" : _separators.Item);
            NewLine(level + 1);
            append(items[i]);
        }

        if (items.Count > 0)
        {
            NewLine(level);
        }

        _output.Append(close);
    }

    private void NewLine(int level)
    {
        if (indent is null)
        {
            return;
        }

        context.ChargeText((long)indent.Length * level);
        _output.Append('\n');
        for (int i = 0; i < level; i++)
        {
            _output.Append(indent);
        }
    }

    private void AppendString(string text)
    {
        _output.Append('"');
        foreach (char c in text)
        {
            string? escape = c switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                '\b' => "\\b",
                '\f' => "\\f",
                _ => null,
            };
            if (escape is not null)
            {
                _output.Append(escape);
            }
            else if (c < ' ' || (ensureAscii && c > '\x7E'))
            {
                _output.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            }
            else
            {
                _output.Append(c);
            }
        }

        _output.Append('"');
    }
}
