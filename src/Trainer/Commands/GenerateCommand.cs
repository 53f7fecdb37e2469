using System.CommandLine;
using Ingot.Generation;
using Ingot.Training;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot generate`: a trained model continues a text.</summary>
internal static class GenerateCommand
{
    public static Command Create()
    {
        var defaults = new GenerationOptions();
        var model = new Option<string>("--model")
        {
            Description = "A run's directory (its best checkpoint is taken, else the newest) or a model's folder.",
            Required = true,
            HelpName = "dir",
        };
        var adapter = new Option<string?>("--adapter")
        {
            Description = "An adapter on the model (LoRA): a folder with adapter_config.json, or a run that trained one.",
            HelpName = "dir",
        };
        var prompt = new Option<string?>("--prompt")
        {
            Description = "The beginning that the model continues; without it, what comes on standard input.",
            HelpName = "text",
        };
        Option<int> maxNewTokens = NumberOption.Create("maxNewTokens", "Most tokens to write.", defaults.MaxNewTokens);
        Option<double> temperature =
            NumberOption.Create("temperature", "Divides the logits: lower is safer; 0 always takes the likeliest token.", defaults.Temperature);
        Option<int> topK = NumberOption.Create("topK", "Draw among this many likeliest tokens; 0 for all.", defaults.TopK);
        Option<double> topP =
            NumberOption.Create("topP", "Draw among the likeliest tokens that together have this probability; 1 for all.", defaults.TopP);
        Option<double> minP = NumberOption.Create("minP", "Leave out tokens less likely than this share of the likeliest.", defaults.MinP);
        Option<double> typicalP = NumberOption.Create(
            "typicalP", "Draw among the tokens of the most typical likelihood that together have this probability; 1 for all.", defaults.TypicalP);
        Option<double> repetitionPenalty = NumberOption.Create(
            "repetitionPenalty", "Makes tokens of prompt and text less likely, above 1; 1 for none.", defaults.RepetitionPenalty);
        Option<double> presencePenalty = NumberOption.Create(
            "presencePenalty", "Is taken from the logits of tokens that were written; 0 for none.", defaults.PresencePenalty);
        Option<double> frequencyPenalty = NumberOption.Create(
            "frequencyPenalty", "Is taken from a token's logit for each time it was written; 0 for none.", defaults.FrequencyPenalty);
        Option<int> noRepeatNgramSize = NumberOption.Create(
            "noRepeatNgramSize", "No sequence of so many tokens comes twice; 0 for no such limit.", defaults.NoRepeatNgramSize);
        var stop = new Option<string[]>("--stop")
        {
            Description = "Strings at which the text ends; they are not written.",
            HelpName = "text",
            AllowMultipleArgumentsPerToken = true,
        };
        Option<string> device = DeviceOption.Create();
        Option<long> seed = NumberOption.Create("seed", "Seed of the draws; the same seed writes the same text.", defaults.Seed);
        var command = new Command("generate", "Let a trained model continue a text.")
        {
            model, adapter, prompt, maxNewTokens, temperature, topK, topP, minP, typicalP, repetitionPenalty, presencePenalty,
            frequencyPenalty, noRepeatNgramSize, stop, seed, device,
        };
        command.SetAction(result => Run(
            result.GetRequiredValue(model),
            result.GetValue(adapter),
            result.GetValue(prompt),
            new GenerationOptions
            {
                MaxNewTokens = result.GetValue(maxNewTokens),
                Temperature = result.GetValue(temperature),
                TopK = result.GetValue(topK),
                TopP = result.GetValue(topP),
                MinP = result.GetValue(minP),
                TypicalP = result.GetValue(typicalP),
                RepetitionPenalty = result.GetValue(repetitionPenalty),
                PresencePenalty = result.GetValue(presencePenalty),
                FrequencyPenalty = result.GetValue(frequencyPenalty),
                NoRepeatNgramSize = result.GetValue(noRepeatNgramSize),
                Stop = result.GetValue(stop) ?? [],
                Seed = result.GetValue(seed),
            },
            result.GetRequiredValue(device)));
        HelpPage.Describe(command, """
            ingot generate --model runs/jargon --prompt "hacker: n."
            ingot generate --model runs/jargon/checkpoints/step-00001000 --prompt "" --temperature 0.6 --maxNewTokens 500
            ingot generate --model runs/jargon --prompt "hacker: n." --repetitionPenalty 1.1 --stop ":" "See also"
            echo "Once upon a time" | ingot generate --model runs/jargon
            """);
        return command;
    }

    private static int Run(string model, string? adapter, string? prompt, GenerationOptions options, string device)
    {
        try
        {
            options.Validate();
        }
        catch (ArgumentException e)
        {
            throw new TrainingOptionsException([$"--{e.Message}"]);
        }

        using TextGenerator generator = TextGenerator.Load(
            ModelFolder.Find(model), device: DeviceOption.Find(device), adapter: adapter is null ? null : ModelFolder.Find(adapter));
        prompt ??= Console.IsInputRedirected ? Console.In.ReadToEnd().TrimEnd('\r', '\n') : "";
        using var interruption = new Interruption();
        Console.Write(prompt);
        try
        {
            foreach (string piece in generator.Stream(prompt, options, interruption.Token))
            {
                Console.Write(piece);
            }
        }
        catch (OperationCanceledException)
        {
            Console.WriteLine();
            return interruption.ExitCode;
        }

        Console.WriteLine();
        return ExitCodes.Success;
    }
}
