using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text;
using System.Xml.Linq;
using Ingot.Training;

namespace Ingot.Trainer;

/// <summary>A recipe's options on the command line: --learningRate 1e-3 sets what the recipe calls learningRate.</summary>
internal sealed class RecipeOptions
{
    // Where groups begin in the list of options, for help.
    private static readonly (string FirstOption, string Title)[] Groups =
    [
        ("model", "Model"),
        ("data", "Data"),
        ("perDeviceTrainBatchSize", "Batches"),
        ("numTrainEpochs", "When to stop: at whichever comes first"),
        ("learningRate", "Optimizer: AdamW"),
        ("device", "How to compute"),
        ("loggingSteps", "What is reported and kept"),
    ];

    // Options that take several values are named in the plural; one at a time is asked for by the singular.
    private static readonly Dictionary<string, string> Singular = new()
    {
        [nameof(TrainingOptions.Kernels)] = "--kernel",
        [nameof(TrainingOptions.Plugins)] = "--plugin",
    };

    private readonly List<(OptionKey Key, Option<string[]> Option)> _options = [];
    private readonly string _pairExample;

    /// <summary>Adds all options of a training run to a command. Its help lists them by <see cref="WriteHelp(TextWriter)"/>.</summary>
    public RecipeOptions(Command command)
        : this(command, OptionKey.All, "attention=naive")
    {
    }

    /// <summary>Adds options to a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="keys">The options.</param>
    /// <param name="pairExample">What a value of an option that takes name=value may look like.</param>
    public RecipeOptions(Command command, IEnumerable<OptionKey> keys, string pairExample)
    {
        _pairExample = pairExample;
        foreach (OptionKey key in keys)
        {
            var option = new Option<string[]>("--" + key.Name)
            {
                Arity = key.IsFlag ? ArgumentArity.ZeroOrOne : TakesMany(key) ? ArgumentArity.OneOrMore : ArgumentArity.ExactlyOne,
                AllowMultipleArgumentsPerToken = TakesMany(key),
                Hidden = true,
                CustomParser = argument => [.. argument.Tokens.Select(token => token.Value)],
            };
            if (Singular.TryGetValue(key.PropertyName, out string? alias))
            {
                option.Aliases.Add(alias);
            }

            _options.Add((key, option));
            command.Add(option);
        }
    }

    private static bool TakesMany(OptionKey key) => key.IsList || key.IsMap || key.IsData;

    /// <summary>The options that were given, as a layer of configuration.</summary>
    /// <exception cref="TrainingOptionsException">An option that takes name=value has something else.</exception>
    public IEnumerable<KeyValuePair<string, string?>> Read(ParseResult result)
    {
        var values = new List<KeyValuePair<string, string?>>();
        foreach ((OptionKey key, Option<string[]> option) in _options)
        {
            if (result.GetResult(option) is not { } given)
            {
                continue;
            }

            IReadOnlyList<Token> tokens = given.Tokens;
            if (key.IsMap)
            {
                values.AddRange(tokens.Select(token => ReadPair(key, token.Value)));
            }
            else if (key.IsList || key.IsData)
            {
                values.AddRange(tokens.Select((token, i) => KeyValuePair.Create($"{key.Name}:{i}", (string?)token.Value)));
            }
            else
            {
                // A flag by itself means true.
                values.Add(new(key.Name, tokens.Count > 0 ? tokens[0].Value : "true"));
            }
        }

        return values;
    }

    /// <summary>Writes name, meaning and default of every option of a training run, in groups.</summary>
    public static void WriteHelp(TextWriter output) => WriteHelp<TrainingOptions>(output, OptionKey.All, Groups);

    /// <summary>Writes name, meaning and default of options of <typeparamref name="T"/>, in groups that begin with certain ones.</summary>
    public static void WriteHelp<T>(TextWriter output, IEnumerable<OptionKey> keys, (string FirstOption, string Title)[] groups)
    {
        Dictionary<string, string> summaries = ReadSummaries(typeof(T));
        output.WriteLine("Recipe options (keys of a recipe and, with dashes, of the command line):");
        foreach (OptionKey key in keys)
        {
            if (groups.FirstOrDefault(group => group.FirstOption == key.Name).Title is { } title)
            {
                output.WriteLine();
                output.WriteLine($" {title}");
            }

            string text = summaries.GetValueOrDefault(key.PropertyName, "");
            if (key.Accepts.StartsWith("one of", StringComparison.Ordinal))
            {
                text += $" {char.ToUpperInvariant(key.Accepts[0])}{key.Accepts[1..]}.";
            }

            if (key.DefaultText is { } value)
            {
                text += $" [{value}]";
            }

            if (Singular.TryGetValue(key.PropertyName, out string? alias))
            {
                text += $" Also {alias}.";
            }

            WriteWrapped(output, $"  --{key.Name}", text);
        }

        output.WriteLine();
    }

    private KeyValuePair<string, string?> ReadPair(OptionKey key, string text) =>
        text.Split('=', 2) is [{ Length: > 0 } name, { Length: > 0 } value]
            ? new($"{key.Name}:{name}", value)
            : throw new TrainingOptionsException([$"--{key.Name} is \"{text}\", but must be name=value, for example {_pairExample}"]);

    // What the options mean is written once, where they are declared; the compiler puts that beside the library.
    private static Dictionary<string, string> ReadSummaries(Type options)
    {
        string path = Path.Combine(AppContext.BaseDirectory, "Ingot.xml");
        string prefix = $"P:{options.FullName}.";
        return !File.Exists(path)
            ? []
            : XDocument.Load(path).Descendants("member")
                .Where(member => member.Attribute("name")!.Value.StartsWith(prefix, StringComparison.Ordinal))
                .ToDictionary(
                    member => member.Attribute("name")!.Value[prefix.Length..],
                    member => string.Join(' ', member.Element("summary")!.Value.Split((char[]?)null,
                    StringSplitOptions.RemoveEmptyEntries)));
    }

    private static void WriteWrapped(TextWriter output, string name, string text)
    {
        const int Indent = 34;
        int width = Console.IsOutputRedirected ? 120 : Math.Clamp(Console.WindowWidth, 80, 140);
        var line = new StringBuilder(name.PadRight(Indent - 1));
        foreach (string word in text.Split(' '))
        {
            if (line.Length + 1 + word.Length > width)
            {
                output.WriteLine(line.ToString().TrimEnd());
                line.Clear().Append(' ', Indent - 1);
            }

            line.Append(' ').Append(word);
        }

        output.WriteLine(line.ToString().TrimEnd());
    }
}
