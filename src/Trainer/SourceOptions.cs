using System.CommandLine;
using System.CommandLine.Parsing;
using Ingot.Checkpoints;
using Ingot.Generation;
using Ingot.Models;
using Ingot.Training;

namespace Ingot.Trainer;

/// <summary>
/// What `translate` and `summarize` have in common: options, and how an encoder-decoder writes a text for each one of the command line, of
/// a file or of standard input.
/// </summary>
internal sealed class SourceOptions
{
    private readonly Command _command;
    private readonly GenerationOptions _defaults;
    private readonly GenerationSettings _settings;
    private readonly Argument<string[]> _texts;
    private readonly Option<string> _model = new("--model") { Description = ModelFolder.Description, Required = true, HelpName = "dir" };
    private readonly Option<string?> _adapter = AdapterOption.Create();
    private readonly Option<string?> _prefix = new("--prefix")
    {
        Description = "What goes in front of every text, for models that are told their task in words, such as T5: \"summarize: \".",
        HelpName = "text",
    };

    private readonly Option<string?> _input = new("--input")
    {
        Description = "A file of texts, plain or gzip: one a line, or in a file *.jsonl a string or an object a line.",
        HelpName = "file",
    };

    private readonly Option<string> _field = new("--field")
    {
        Description = "The field of objects in *.jsonl that has the text.",
        HelpName = "name",
        DefaultValueFactory = _ => "text",
    };

    private readonly Option<string?> _output = new("--output")
    {
        Description = "File for the texts, in place of standard output: a line for each of the input, in its order.",
        HelpName = "file",
    };

    private readonly Option<bool> _resume = new("--resume")
    {
        Description = "Go on behind the texts that an interrupted run of the same command left in FILE.partial.",
    };

    private readonly Option<bool> _json = new("--json") { Description = "Write a JSON object for each text, with its source, one a line." };
    private readonly Option<bool> _truncation = TextFile.TruncationOption();
    private readonly Option<int> _batchSize = NumberOption.Create("batchSize",
        "Texts that are written side by side; of beam search, beams.",
        TextRewriter.DefaultBatchSize);

    private readonly Option<string> _precision = PrecisionOption.Create();
    private readonly Option<string> _device = DeviceOption.Create();
    private readonly KernelOption _kernels = new();

    /// <summary>Gives a command its options.</summary>
    /// <param name="command">The command.</param>
    /// <param name="defaults">How text is written where neither the command line nor the model says anything.</param>
    /// <param name="languages">Its options about languages.</param>
    public SourceOptions(Command command, GenerationOptions defaults, params Option[] languages)
    {
        _texts = new Argument<string[]>("texts")
        {
            Description = "The texts; without any and without --input, lines of standard input.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        (_command, _defaults, _settings) = (command, defaults, GenerationSettings.ForSources(defaults));
        command.Add(_texts);
        Option[] options = [_model, _adapter, _input, _field, _output, _resume, _json, .. languages, _prefix, _truncation];
        foreach (Option option in options)
        {
            command.Add(option);
        }

        _settings.AddTo(command);
        foreach (Option option in new Option[] { _batchSize, _precision, _device })
        {
            command.Add(option);
        }

        _kernels.AddTo(command);
    }

    /// <summary>Reads, writes, and says how it went.</summary>
    /// <param name="result">The command line.</param>
    /// <param name="languages">Puts the languages into the settings; the languages that the model knows are given.</param>
    /// <param name="identifies">Whether the language of each text is told by the text.</param>
    /// <returns>The exit code.</returns>
    public int Run(ParseResult result, Func<GenerationOptions, IReadOnlyList<string>, GenerationOptions> languages, bool identifies = false)
    {
        // What is wrong on the command line comes out before anything is loaded.
        _settings.Apply(_defaults, result);
        int rows = Commands.BenchCommand.AtLeastOne(_batchSize, result.GetValue(_batchSize));
        SourceInput input = SourceInput.Of(result.GetValue(_texts) ?? [], result.GetValue(_input), result.GetRequiredValue(_field));
        string? output = result.GetValue(_output);
        long done = !result.GetValue(_resume) ? 0 : SourceRun.CountWritten(output
            ?? throw new TrainingOptionsException(["--resume goes on with a file: name it with --output"]));
        string folder = ModelFolder.Find(result.GetRequiredValue(_model));
        RequireEncoderDecoder(folder);
        using TextGenerator generator = TextGenerator.Load(folder, PrecisionOption.Find(result.GetRequiredValue(_precision)),
            DeviceOption.Find(result.GetRequiredValue(_device)), AdapterOption.Find(result.GetValue(_adapter)), _kernels.Read(result));
        Commands.GenerateCommand.WriteWarnings(generator, folder);
        bool truncates = result.GetValue(_truncation);
        GenerationOptions options = _settings.Apply(Defaults(generator.Options), result) with { TruncatePrompt = truncates };
        options = languages(options, new TextRewriter(generator, options).Languages);
        using var interruption = new Interruption();
        using var progress = new SourceProgress();
        var rewriter = new TextRewriter(generator, options, rows)
        {
            Prefix = result.GetValue(_prefix) ?? "",
            IdentifiesLanguage = identifies,
            OnWritten = progress.Add,
        };
        var run = new SourceRun(rewriter, input, generator.Context, truncates, done, progress, interruption);
        return run.Write(output, result.GetValue(_json), options.MaxNewTokens);
    }

    /// <summary>The model's settings where they say anything, or else the command's. Nothing is drawn.</summary>
    private GenerationOptions Defaults(GenerationOptions model) => model with
    {
        DoSample = false,
        NumReturnSequences = 1,
        NumBeams = model.NumBeams > 1 ? model.NumBeams : _defaults.NumBeams,
        NoRepeatNgramSize = model.NoRepeatNgramSize > 0 ? model.NoRepeatNgramSize : _defaults.NoRepeatNgramSize,
        MinNewTokens = model.MinNewTokens > 0 ? model.MinNewTokens : _defaults.MinNewTokens,
    };

    private void RequireEncoderDecoder(string folder)
    {
        if (!File.Exists(Path.Combine(folder, ModelFiles.ConfigName)))
        {
            return; // An adapter's folder, or none of a model, which loading says.
        }

        ModelConfig model = ModelFiles.LoadConfig(folder);
        if (model is not EncoderDecoderConfig)
        {
            throw new InvalidDataException($"{folder}: a {model.ModelType} for {model.Task.Name()} has no encoder that reads one text "
                + $"while another is written; `ingot {_command.Name}` takes an encoder-decoder: "
                + $"{string.Join(", ", EncoderDecoderConfig.EncoderDecoderFamilies)}");
        }
    }
}
