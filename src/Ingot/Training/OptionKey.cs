using System.Globalization;
using System.Reflection;
using System.Text.Json;
using Ingot.Pairs;
using Microsoft.Extensions.Configuration;

namespace Ingot.Training;

/// <summary>
/// An option as text knows it: the key of a recipe, the option of the command line, the rest of the name of an environment variable. The
/// properties of a record of options (<see cref="TrainingOptions"/>, for one) are the only list of its options; this table reads them.
/// </summary>
public sealed class OptionKey
{
    private readonly PropertyInfo _property;
    private readonly Type _type;
    private readonly bool _isNullable;

    private OptionKey(PropertyInfo property)
    {
        _property = property;
        _type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        _isNullable = _type != property.PropertyType || _type == typeof(string) || _type == typeof(TrainingSources);
        Name = JsonNamingPolicy.CamelCase.ConvertName(property.Name);
    }

    /// <summary>All options of a training run, in the order of their declaration.</summary>
    public static IReadOnlyList<OptionKey> All { get; } = Of<TrainingOptions>();

    /// <summary>Name in recipes and, after two dashes, on the command line.</summary>
    public string Name { get; }

    /// <summary>Name of the property that holds it.</summary>
    public string PropertyName => _property.Name;

    /// <summary>Whether it is true or false.</summary>
    public bool IsFlag => _type == typeof(bool);

    /// <summary>Whether it holds a list of texts.</summary>
    public bool IsList => _type == typeof(IReadOnlyList<string>);

    /// <summary>Whether it names data: a path, or a list of paths with weights.</summary>
    public bool IsData => _type == typeof(TrainingSources);

    /// <summary>Whether it maps names to texts.</summary>
    public bool IsMap => _type == typeof(IReadOnlyDictionary<string, string>);

    /// <summary>Words for the values it takes, for example "a whole number" or "one of fp32, bf16".</summary>
    public string Accepts =>
        _type.IsEnum ? "one of " + string.Join(", ", EnumNames())
        : _type == typeof(int) || _type == typeof(long) ? "a whole number"
        : _type == typeof(double) ? "a number"
        : IsFlag ? "true or false"
        : IsList ? "a list of texts"
        : IsData ? "a path, or a list of paths, PATH:WEIGHT or objects with path and weight"
        : IsMap ? "an object of texts"
        : "a text";

    /// <summary>Its value when nobody sets it, as a recipe would write it; null when there is none.</summary>
    public string? DefaultText => Get(Activator.CreateInstance(_property.DeclaringType!)!) switch
    {
        null or System.Collections.ICollection { Count: 0 } => null,
        Enum value => EnumName(value),
        bool value => value ? "true" : "false",
        string value => value.Replace("\n", "\\n").Replace("\t", "\\t"),
        IEnumerable<string> values => string.Join(' ', values),
        object value => Convert.ToString(value, CultureInfo.InvariantCulture),
    };

    /// <summary>All options of a record, in the order of their declaration.</summary>
    public static IReadOnlyList<OptionKey> Of<T>()
        where T : new() =>
        [.. typeof(T).GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(p => p.CanWrite).Select(p => new OptionKey(p))];

    /// <summary>The option of a training run of that name, whatever its case; null if there is none.</summary>
    public static OptionKey? Find(string name) => Find(All, name);

    /// <summary>The option of that name, whatever its case; null if there is none.</summary>
    public static OptionKey? Find(IEnumerable<OptionKey> keys, string name) =>
        keys.FirstOrDefault(key => key.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    /// <summary>Sets the option to what a layer of configuration says.</summary>
    /// <returns>What is wrong with it ("is …, but must be …"); null when it was set.</returns>
    internal string? Read(IConfigurationSection section, object options)
    {
        IConfigurationSection[] children = [.. section.GetChildren()];
        if (IsData)
        {
            return ReadData(section, children, options);
        }

        if (IsList || IsMap)
        {
            return ReadMany(section, children, options);
        }

        if (children.Length > 0)
        {
            return $"is a list or an object, but must be {Accepts}";
        }

        if (section.Value is not { } text)
        {
            if (!_isNullable)
            {
                return $"is null, but must be {Accepts}; leave it out for the default";
            }

            _property.SetValue(options, null);
            return null;
        }

        if (Parse(text) is not { } value)
        {
            return $"is \"{text}\", but must be {Accepts}";
        }

        _property.SetValue(options, value);
        return null;
    }

    /// <summary>Writes name and value, unless the value is null.</summary>
    internal void Write(Utf8JsonWriter writer, object options)
    {
        object? value = Get(options);
        if (value is null)
        {
            return;
        }

        writer.WritePropertyName(Name);
        switch (value)
        {
            case int or long:
                writer.WriteNumberValue(Convert.ToInt64(value, CultureInfo.InvariantCulture));
                break;
            case double number:
                writer.WriteNumberValue(number);
                break;
            case bool flag:
                writer.WriteBooleanValue(flag);
                break;
            case Enum constant:
                writer.WriteStringValue(EnumName(constant));
                break;
            case string text:
                writer.WriteStringValue(text);
                break;
            case TrainingSources { Count: 1 } data when data[0] is { Weight: null, Fields: null }:
                writer.WriteStringValue(data[0].Path);
                break;
            case TrainingSources data:
                writer.WriteStartArray();
                foreach (TrainingSource source in data)
                {
                    writer.WriteStartObject();
                    writer.WriteString("path", source.Path);
                    if (source.Weight is { } weight)
                    {
                        writer.WriteNumber("weight", weight);
                    }

                    foreach ((string name, string? field) in FieldsOf(source.Fields ?? new PairFields()))
                    {
                        if (field is not null)
                        {
                            writer.WriteString(name, field);
                        }
                    }

                    writer.WriteEndObject();
                }

                writer.WriteEndArray();
                break;
            case IReadOnlyList<string> list:
                writer.WriteStartArray();
                foreach (string item in list)
                {
                    writer.WriteStringValue(item);
                }

                writer.WriteEndArray();
                break;
            case IReadOnlyDictionary<string, string> map:
                writer.WriteStartObject();
                foreach ((string name, string item) in map.OrderBy(pair => pair.Key, StringComparer.Ordinal))
                {
                    writer.WriteString(name, item);
                }

                writer.WriteEndObject();
                break;
            default:
                throw new InvalidOperationException($"{Name} has the type {_type}, which recipes cannot hold.");
        }
    }

    // Keys of an entry of data, of which the fields of pairs are also options for all entries.
    private static readonly string[] SourceKeys = ["path", "weight", .. FieldsOf(new PairFields()).Select(field => field.Name)];

    private static IEnumerable<(string Name, string? Field)> FieldsOf(PairFields pairs) =>
    [
        ("sourceField", pairs.Source), ("targetField", pairs.Target),
        ("sourceLanguage", pairs.SourceLanguage), ("targetLanguage", pairs.TargetLanguage),
        ("sourceLanguageField", pairs.SourceLanguageField), ("targetLanguageField", pairs.TargetLanguageField),
    ];

    private static string EnumName(Enum value) => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());

    private IEnumerable<string> EnumNames() => Enum.GetValues(_type).Cast<Enum>().Select(EnumName);

    private object? Get(object options) => _property.GetValue(options);

    private object? Parse(string text)
    {
        if (_type == typeof(string))
        {
            return text;
        }

        if (IsFlag)
        {
            return bool.TryParse(text, out bool flag) ? flag : null;
        }

        if (_type.IsEnum)
        {
            return Enum.GetValues(_type).Cast<Enum>()
                .FirstOrDefault(value => EnumName(value).Equals(text.Replace('-', '_'), StringComparison.OrdinalIgnoreCase));
        }

        if (_type == typeof(double))
        {
            return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number)
                ? number
                : null;
        }

        // Whole numbers may be written 1e6.
        if (!decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal whole)
            || whole != decimal.Truncate(whole))
        {
            return null;
        }

        return _type == typeof(int)
            ? whole is >= int.MinValue and <= int.MaxValue ? (int)whole : null
            : whole is >= long.MinValue and <= long.MaxValue ? (long)whole : null;
    }

    private string? ReadData(IConfigurationSection section, IConfigurationSection[] children, object options)
    {
        if (children.Length == 0)
        {
            _property.SetValue(options, (TrainingSources?)section.Value);
            return null;
        }

        // One object by itself is an entry, too.
        bool isEntry = children.Any(child => !int.TryParse(child.Key, out _));
        var sources = new List<TrainingSource>();
        foreach (IConfigurationSection child in isEntry ? [section] : children)
        {
            IConfigurationSection[] fields = [.. child.GetChildren()];
            if (fields.Length == 0 && child.Value is { } text)
            {
                sources.Add(TrainingSource.Parse(text));
                continue;
            }

            string? path = child["path"];
            double number = 0;
            if (path is null
                || fields.Any(field => !SourceKeys.Contains(field.Key, StringComparer.OrdinalIgnoreCase))
                || (child["weight"] is { } weight && !double.TryParse(weight, NumberStyles.Float, CultureInfo.InvariantCulture,
                    out number)))
            {
                return $"holds an entry that is no text and no {{\"path\": \"…\", \"weight\": 0.5}}, but must be {Accepts}";
            }

            var pairs = new PairFields
            {
                Source = child["sourceField"],
                Target = child["targetField"],
                SourceLanguage = child["sourceLanguage"],
                TargetLanguage = child["targetLanguage"],
                SourceLanguageField = child["sourceLanguageField"],
                TargetLanguageField = child["targetLanguageField"],
            };
            sources.Add(new TrainingSource(path, child["weight"] is null ? null : number)
            {
                Fields = pairs == new PairFields() ? null : pairs,
            });
        }

        _property.SetValue(options, TrainingSources.Create([.. sources]));
        return null;
    }

    private string? ReadMany(IConfigurationSection section, IConfigurationSection[] children, object options)
    {
        if (children.FirstOrDefault(child => child.Value is null) is { } bad)
        {
            return $"holds {bad.Key}: null, a list or an object, but must be {Accepts}";
        }

        // An empty array or object comes as an empty text.
        bool isSingle = children.Length == 0 && !string.IsNullOrEmpty(section.Value);
        if (IsList)
        {
            string[] list = isSingle ? [section.Value!] : [.. children.Select(child => child.Value!)];
            _property.SetValue(options, list);
            return null;
        }

        if (isSingle)
        {
            return $"is \"{section.Value}\", but must be {Accepts}";
        }

        // Each layer adds to the map of those before it. Ops are lower-case; environment variables are not.
        var map = new Dictionary<string, string>((IReadOnlyDictionary<string, string>)Get(options)!, StringComparer.Ordinal);
        foreach (IConfigurationSection child in children)
        {
            map[PropertyName == nameof(TrainingOptions.Kernels) ? child.Key.ToLowerInvariant() : child.Key] = child.Value!;
        }

        _property.SetValue(options, map);
        return null;
    }
}
