using System.CommandLine;
using System.CommandLine.Parsing;
using Ingot.Generation;
using Ingot.Training;

namespace Ingot.Trainer;

/// <summary>
/// The options of `generate`, `chat`, `translate` and `summarize` that say how text is written. What is not given is as the model's
/// generation_config.json has it, or else as <see cref="GenerationOptions"/> has it. A setting of draws makes the model draw, where its
/// file says otherwise.
/// </summary>
internal sealed class GenerationSettings
{
    private const string MinNewTokens = "The text does not end before it has so many tokens.";
    private const string NoRepeatNgramSize = "No sequence of so many tokens comes twice; 0 for no such limit.";

    private static readonly GenerationOptions Defaults = new();

    private readonly List<(Option Option, Func<GenerationOptions, ParseResult, GenerationOptions> Apply)> _options = [];
    private readonly List<Option> _draws = [];
    private Option<bool?>? _doSample;

    private GenerationSettings()
    {
    }

    /// <summary>For texts that go on with a prompt.</summary>
    public static GenerationSettings ForPrompts()
    {
        var settings = new GenerationSettings();
        settings.Add(Number<int>("maxNewTokens", "Most tokens to write.", Defaults.MaxNewTokens),
            (o, v) => o with { MaxNewTokens = v, MaxLength = null });
        settings.Add(Number<int>("maxLength", "Most tokens of prompt and text together."), (o, v) => o with { MaxLength = v });
        settings.Add(Number<int>("minNewTokens", MinNewTokens, 0), (o, v) => o with { MinNewTokens = v });
        settings.AddDraws();
        settings.Add(Number<double>("repetitionPenalty", "Makes tokens of prompt and text less likely, above 1.", 1),
            (o, v) => o with { RepetitionPenalty = v });
        settings.Add(Number<double>("presencePenalty", "Is taken from the logits of tokens that were written.", 0),
            (o, v) => o with { PresencePenalty = v });
        settings.Add(Number<double>("frequencyPenalty", "Is taken from a token's logit for each time it was written.", 0),
            (o, v) => o with { FrequencyPenalty = v });
        settings.Add(Number<int>("noRepeatNgramSize", NoRepeatNgramSize, 0), (o, v) => o with { NoRepeatNgramSize = v });
        var stop = new Option<string[]>("--stop")
        {
            Description = "Strings at which the text ends; they are not written.",
            HelpName = "text",
            AllowMultipleArgumentsPerToken = true,
        };
        settings.Add(stop, (o, v) => o with { Stop = v! });
        settings.Add(Number<long>("seed", "Seed of the draws; the same seed writes the same text.", Defaults.Seed),
            (o, v) => o with { Seed = v });
        return settings;
    }

    /// <summary>For texts that an encoder-decoder writes of a source: nothing is drawn.</summary>
    /// <param name="defaults">What holds where neither the command line nor the model says anything.</param>
    public static GenerationSettings ForSources(GenerationOptions defaults)
    {
        var settings = new GenerationSettings();
        settings.Add(Number<int>("maxNewTokens", "Most tokens to write.", defaults.MaxNewTokens),
            (o, v) => o with { MaxNewTokens = v, MaxLength = null });
        settings.Add(Number<int>("minNewTokens", MinNewTokens, defaults.MinNewTokens), (o, v) => o with { MinNewTokens = v });
        settings.Add(Number<double>("repetitionPenalty", "Makes tokens that were written less likely, above 1.", 1),
            (o, v) => o with { RepetitionPenalty = v });
        settings.Add(Number<int>("noRepeatNgramSize", NoRepeatNgramSize, defaults.NoRepeatNgramSize),
            (o, v) => o with { NoRepeatNgramSize = v });
        settings.AddBeams("Beam search keeps so many of the most probable texts; 1 always takes the likeliest token.", defaults.NumBeams);
        return settings;
    }

    /// <summary>Options of beam search and of several texts for a prompt.</summary>
    public GenerationSettings WithSearch()
    {
        AddBeams("Beam search keeps so many of the most probable texts; it draws nothing.", 1);
        Add(Number<int>("numReturnSequences", "Texts for each prompt.", 1), (o, v) => o with { NumReturnSequences = v });
        var truncate = new Option<bool>("--truncatePrompt")
        {
            Description = "A prompt longer than the model's context loses its beginning; without it, that is an error.",
        };
        Add(truncate, (o, v) => o with { TruncatePrompt = v });
        return this;
    }

    /// <summary>Gives them to a command.</summary>
    public void AddTo(Command command)
    {
        foreach ((Option option, _) in _options)
        {
            command.Add(option);
        }
    }

    /// <summary>The model's settings with what the command line says.</summary>
    /// <exception cref="TrainingOptionsException">A value is out of range.</exception>
    public GenerationOptions Apply(GenerationOptions options, ParseResult result)
    {
        foreach ((Option option, Func<GenerationOptions, ParseResult, GenerationOptions> apply) in _options)
        {
            if (IsGiven(option, result))
            {
                options = apply(options, result);
            }
        }

        if (_doSample is not null && !IsGiven(_doSample, result) && _draws.Any(option => IsGiven(option, result)))
        {
            options = options with { DoSample = true };
        }

        try
        {
            options.Validate();
            return options;
        }
        catch (ArgumentException e)
        {
            throw new TrainingOptionsException([$"--{e.Message}"]);
        }
    }

    private static bool IsGiven(Option option, ParseResult result) => result.GetResult(option) is { Implicit: false };

    private static Option<T> Number<T>(string name, string description, T? standard = null)
        where T : struct, System.Numerics.INumber<T>
    {
        Option<T> option = NumberOption.Create(name, description, default(T));
        option.DefaultValueFactory = null;
        if (standard is { } value)
        {
            option.Description += string.Create(System.Globalization.CultureInfo.InvariantCulture, $" [default: the model's, or {value}]");
        }

        return option;
    }

    private void AddDraws()
    {
        _doSample = new Option<bool?>("--doSample")
        {
            Description = "Draw tokens; false always takes the likeliest.",
            HelpName = "true|false",
        };
        Add(_doSample, (o, v) => o with { DoSample = v!.Value });
        AddDraw(Number<double>("temperature", "Divides the logits: lower is safer; 0 always takes the likeliest token.",
            Defaults.Temperature),
            (o, v) => o with { Temperature = v });
        AddDraw(Number<int>("topK", "Draw among this many likeliest tokens; 0 for all.", Defaults.TopK), (o, v) => o with { TopK = v });
        AddDraw(Number<double>("topP", "Draw among the likeliest tokens that together have this probability.", 1),
            (o, v) => o with { TopP = v });
        AddDraw(Number<double>("minP", "Leave out tokens less likely than this share of the likeliest.", 0), (o, v) => o with { MinP = v });
        AddDraw(Number<double>("typicalP", "Draw among the tokens of the most typical likelihood that together have this probability.", 1),
            (o, v) => o with { TypicalP = v });
        AddDraw(Number<double>("epsilonCutoff", "Leave out tokens less likely than this.", 0), (o, v) => o with { EpsilonCutoff = v });
        AddDraw(Number<double>("etaCutoff", "The same, but less where many tokens are likely.", 0), (o, v) => o with { EtaCutoff = v });
    }

    private void AddBeams(string description, int standard)
    {
        Add(Number<int>("numBeams", description, standard), (o, v) => o with { NumBeams = v });
        Add(Number<double>("lengthPenalty", "Beam search compares log-probability / length^this.", 1),
            (o, v) => o with { LengthPenalty = v });
        var early = new Option<string>("--earlyStopping")
        {
            Description = "When beam search ends that has enough texts: false, when none that runs on could be better if it ended now; "
                + "true, at once; never, when none can become better. [default: the model's, or false]",
        }.AcceptOnlyFromAmong("false", "true", "never");
        Add(early, (o, v) => o with { EarlyStopping = Enum.Parse<EarlyStopping>(v!, ignoreCase: true) });
    }

    private void AddDraw<T>(Option<T> option, Func<GenerationOptions, T, GenerationOptions> apply)
    {
        _draws.Add(option);
        Add(option, apply);
    }

    private void Add<T>(Option<T> option, Func<GenerationOptions, T, GenerationOptions> apply) =>
        _options.Add((option, (options, result) => apply(options, result.GetValue(option)!)));
}
