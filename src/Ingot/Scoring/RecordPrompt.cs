using System.Security.Cryptography;
using System.Text;
using Ingot.Chat;

namespace Ingot.Scoring;

/// <summary>Makes the prompt of a record: a field of it, or what a template writes of its fields.</summary>
internal sealed class RecordPrompt
{
    private readonly string[] _fields;
    private readonly ChatTemplate? _template;
    private string? _first;
    private int _count;
    private bool _differ;

    /// <summary>Makes it.</summary>
    /// <param name="template">In Jinja's language, such as <c>"Question: {{ question }}\nAnswer:"</c>; null for a field.</param>
    /// <param name="fields">Names that the field may have.</param>
    /// <exception cref="TemplateException">The template is wrong.</exception>
    public RecordPrompt(string? template, params string[] fields)
    {
        _fields = fields;
        _template = template is null ? null : ChatTemplate.Parse(template, "promptTemplate");
    }

    /// <summary>Says how prompts are made: the fields, or a hash of the template.</summary>
    public string Signature => _template is null ? string.Join('/', _fields)
        : "template-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(_template.Source)))[..8];

    /// <summary>The prompt of a record.</summary>
    /// <exception cref="InvalidDataException">It lacks the field, or the template fails on it.</exception>
    public string Make(DataRecord record)
    {
        if (_template is null)
            return record.GetText(_fields);
        try
        {
            var prompt = _template.Render([], variables: record.Json.EnumerateObject()
                .DistinctBy(field => field.Name).ToDictionary(field => field.Name, field => (object?)field.Value));
            _differ |= _count++ > 0 && prompt != _first;
            _first ??= prompt;
            return prompt;
        }
        catch (Exception e) when (e is TemplateException or ArgumentException)
        {
            throw record.Bad(e.Message);
        }
    }

    /// <summary>A template that writes the same for every record has none of their fields: their names are not those it reads.</summary>
    /// <exception cref="InvalidDataException">It is such a template.</exception>
    public void CheckDiffered()
    {
        if (_template is not null && _count > 1 && !_differ)
        {
            throw new InvalidDataException(
                $"promptTemplate writes the same for all {_count} records, \"{_first}\": it reads none of their fields");
        }
    }
}
