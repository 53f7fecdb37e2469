using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using Ingot.Data.Preparation;
using Ingot.Evaluation;
using Microsoft.Extensions.Configuration;

namespace Ingot.Training;

/// <summary>
/// Recipes: JSON files (comments and trailing commas allowed) whose keys are the options of <see cref="TrainingOptions"/> in camelCase.
/// Options come in four layers, each over the one before: defaults, the recipe, environment variables (INGOT_ and the key, for example
/// INGOT_LEARNINGRATE or INGOT_LEARNING_RATE), the command line. Relative paths are relative to the current directory, in whichever layer
/// they stand.
/// </summary>
public static class Recipe
{
    // Environment variables that begin with INGOT_ and are no options.
    private static readonly string[] OtherVariables =
    [
        "LIBRARY", "KERNEL", "CHECKED", "DEBUG", "CACHE", "TEST_DATA", "TEST_DEVICE", "TEST_WORDNET",
        "CUDA", "CUDA_MODULE", "CUDA_GRAPH", "CUBLASLT", "MATMUL_SEARCH", "EMULATOR",
    ];

    // A recipe is a page of text; anything far larger is another file.
    private const long MaxRecipeBytes = 1 << 20;

    private static readonly JsonReaderOptions ReaderOptions = new()
    {
        CommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
    };

    /// <summary>Reads the options of a run and checks them.</summary>
    /// <param name="path">The recipe's file; null for none.</param>
    /// <param name="commandLine">Options of the command line: keys as in a recipe, nested ones joined by ':'; null for none.</param>
    /// <param name="needsData">Whether data must be named; a plan does without.</param>
    /// <returns>Options that are valid; paths of data are absolute, and the run is named after the recipe unless it has a name.</returns>
    /// <exception cref="TrainingOptionsException">With every unknown key and bad value: where it stands and the way out.</exception>
    public static TrainingOptions Load(
        string? path, IEnumerable<KeyValuePair<string, string?>>? commandLine = null, bool needsData = true)
    {
        TrainingOptions options = Load<TrainingOptions>(path, commandLine, options => options.Validate(needsData), "ingot train");
        return options with
        {
            RunName = options.RunName ?? (path is null ? null : Path.GetFileNameWithoutExtension(path)),
            Model = Directory.Exists(options.Model) ? Path.GetFullPath(options.Model) : options.Model,
            Data = options.Data is { } data
                ? TrainingSources.Create([.. data.Select(source => source with { Path = Path.GetFullPath(source.Path) })])
                : null,
            EvalData = Absolute(options.EvalData),
            Tokenizer = TrainingOptions.TrainedTokenizers.Contains(options.Tokenizer) ? options.Tokenizer : Absolute(options.Tokenizer),
            Plugins = [.. options.Plugins.Select(Path.GetFullPath)],
        };

        static string? Absolute(string? path) => path is null ? null : Path.GetFullPath(path);
    }

    /// <summary>Reads options of any kind from the same layers, and checks them.</summary>
    /// <param name="path">The recipe's file; null for none.</param>
    /// <param name="commandLine">Options of the command line: keys as in a recipe, nested ones joined by ':'; null for none.</param>
    /// <param name="validate">Finds what is wrong with options that could all be read.</param>
    /// <param name="command">The command whose --help lists the options.</param>
    /// <exception cref="TrainingOptionsException">With every unknown key and bad value: where it stands and the way out.</exception>
    public static T Load<T>(
        string? path,
        IEnumerable<KeyValuePair<string, string?>>? commandLine,
        Func<T, IEnumerable<OptionProblem>> validate,
        string command)
        where T : class, new() => Read(
            path is null ? null : ReadFile(path),
            ReadEnvironment(OptionKey.Of<T>()),
            new ConfigurationBuilder().AddInMemoryCollection(commandLine ?? []).Build(),
            path ?? "",
            validate,
            command);

    /// <summary>The options as a recipe that <see cref="Load"/> reads back to the same.</summary>
    public static string ToJson(TrainingOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        using var stream = new MemoryStream();
        var writerOptions = new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var writer = new Utf8JsonWriter(stream, writerOptions))
        {
            writer.WriteStartObject();
            foreach (OptionKey key in OptionKey.All)
            {
                key.Write(writer, options);
            }

            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length) + "\n";
    }

    /// <summary>Puts the layers together; the parts that do not depend on the process are tested through this.</summary>
    internal static TrainingOptions Read(
        byte[]? recipe, IConfiguration environment, IConfiguration commandLine, string path = "recipe", bool needsData = true) =>
        Read<TrainingOptions>(recipe, environment, commandLine, path, options => options.Validate(needsData), "ingot train");

    private static T Read<T>(
        byte[]? recipe,
        IConfiguration environment,
        IConfiguration commandLine,
        string path,
        Func<T, IEnumerable<OptionProblem>> validate,
        string command)
        where T : class, new()
    {
        IReadOnlyList<OptionKey> keys = OptionKey.Of<T>();
        var layers = new List<Layer>();
        if (recipe is not null)
        {
            layers.Add(new(ParseJson(recipe, path), Find, key => $"{path}:{LineOf(recipe, key)}: {key}"));
        }

        layers.Add(new(environment, name => Find(name.Replace("_", "")), key => $"INGOT_{key}"));
        layers.Add(new(commandLine, Find, key => $"--{key}"));

        var options = new T();
        var problems = new List<string>();
        var origins = new Dictionary<OptionKey, string>();
        foreach (Layer layer in layers)
        {
            foreach (IConfigurationSection section in layer.Values.GetChildren())
            {
                string subject = layer.Describe(section.Key);
                if (layer.Find(section.Key) is not { } key)
                {
                    problems.Add($"{subject} is not an option{Suggest(section.Key, keys, command)}");
                    continue;
                }

                origins[key] = subject;
                if (key.Read(section, options) is { } problem)
                {
                    problems.Add($"{subject} {problem}");
                }
            }
        }

        // Checks across options would only repeat what has been said of values that could not be read.
        if (problems.Count == 0)
        {
            problems.AddRange(validate(options)
                .Select(problem => $"{origins.GetValueOrDefault(Find(problem.Key)!, problem.Key)} {problem.Message}"));
        }

        return problems.Count == 0 ? options : throw new TrainingOptionsException(problems);

        OptionKey? Find(string name) => OptionKey.Find(keys, name);
    }

    private static string Suggest(string wrong, IReadOnlyList<OptionKey> keys, string command) =>
        NearestName.Find(wrong, keys.Select(key => key.Name)) is { } near
            ? $": did you mean {near}?"
            : $"; `{command} --help` lists all options";

    // An option of another command may stand in the environment, too; it is not for this one.
    private static IConfiguration ReadEnvironment(IReadOnlyList<OptionKey> keys)
    {
        IConfiguration all = new ConfigurationBuilder().AddEnvironmentVariables("INGOT_").Build();
        bool takesKernels = OptionKey.Find(keys, nameof(TrainingOptions.Kernels)) is not null;
        return new ConfigurationBuilder()
            .AddInMemoryCollection(KernelsOf(takesKernels ? Environment.GetEnvironmentVariable("INGOT_KERNEL") : null))
            .AddInMemoryCollection(all.AsEnumerable().Where(pair => IsMeant(pair.Key))).Build();

        bool IsMeant(string variable)
        {
            string name = variable.Split(':')[0].Replace("_", "");
            return OptionKey.Find(keys, name) is not null
                || !(OtherVariables.Contains(variable, StringComparer.OrdinalIgnoreCase)
                    || OptionKey.Find(OptionKey.All, name) is not null
                    || OptionKey.Find(OptionKey.Of<PreparationOptions>(), name) is not null
                    || OptionKey.Find(OptionKey.Of<EvaluationOptions>(), name) is not null);
        }
    }

    // INGOT_KERNEL holds for every program of the process; as an option it also goes before what a recipe says.
    private static IEnumerable<KeyValuePair<string, string?>> KernelsOf(string? setting) =>
        (setting ?? "").Split(',').Select(choice => (Text: choice, Sign: choice.LastIndexOf('='))).Where(choice => choice.Sign > 0)
            .Select(choice => KeyValuePair.Create(
                $"{nameof(TrainingOptions.Kernels)}:{choice.Text[..choice.Sign]}", (string?)choice.Text[(choice.Sign + 1)..]));

    private static byte[] ReadFile(string path)
    {
        try
        {
            if (Directory.Exists(path))
            {
                throw new TrainingOptionsException([$"{path} is a directory: name a recipe, a JSON file"]);
            }

            long length = new FileInfo(path).Length;
            return length <= MaxRecipeBytes
                ? File.ReadAllBytes(path)
                : throw new TrainingOptionsException([$"{path} has {length} bytes, too many for a recipe: name a JSON file of options"]);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new TrainingOptionsException([$"{path}: no such recipe{SuggestFile(path)}"]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TrainingOptionsException([$"{path} cannot be read: {e.Message}"]);
        }
    }

    private static string SuggestFile(string path)
    {
        string folder = Path.GetDirectoryName(path) is { Length: > 0 } parent ? parent : ".";
        string[] others = Directory.Exists(folder) ? Directory.GetFiles(folder, "*.json") : [];
        return NearestName.Find(Path.GetFileName(path), others.Select(other => Path.GetFileName(other))) is { } near
            ? $": did you mean {Path.Combine(Path.GetDirectoryName(path) ?? "", near)}?"
            : "";
    }

    private static IConfiguration ParseJson(byte[] recipe, string path)
    {
        if (!Utf8.IsValid(recipe))
        {
            throw new TrainingOptionsException([$"{path} is not UTF-8 text: name a recipe, a JSON file"]);
        }

        try
        {
            using var stream = new MemoryStream(recipe);
            return new ConfigurationBuilder().AddJsonStream(stream).Build();
        }
        catch (JsonException e)
        {
            throw new TrainingOptionsException([$"{path}:{e.LineNumber + 1}: not JSON: {e.Message.Split(" LineNumber:")[0]}"]);
        }
        catch (FormatException e)
        {
            throw new TrainingOptionsException([$"{path}: {e.Message}"]);
        }
    }

    // Line of a key at the top of a recipe that is known to be JSON, counted from 1.
    private static int LineOf(ReadOnlySpan<byte> recipe, string key)
    {
        ReadOnlySpan<byte> mark = Encoding.UTF8.Preamble;
        if (recipe.StartsWith(mark))
        {
            recipe = recipe[mark.Length..];
        }

        var reader = new Utf8JsonReader(recipe, ReaderOptions);
        while (reader.Read())
        {
            if (reader is { TokenType: JsonTokenType.PropertyName, CurrentDepth: 1 }
                && reader.GetString()!.Split(':')[0].Equals(key, StringComparison.OrdinalIgnoreCase))
            {
                break;
            }
        }

        return recipe[..(int)reader.TokenStartIndex].Count((byte)'\n') + 1;
    }

    // One source of options: its values, which option a name in it means, and how to speak of a name so that its owner finds it.
    private sealed record Layer(IConfiguration Values, Func<string, OptionKey?> Find, Func<string, string> Describe);
}
