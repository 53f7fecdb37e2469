using System.CommandLine;
using Ingot.Generation;
using Ingot.Training;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot generate`: a trained model continues texts.</summary>
internal static class GenerateCommand
{
    public static Command Create()
    {
        var model = new Option<string>("--model") { Description = ModelFolder.Description, Required = true, HelpName = "dir" };
        Option<string?> adapter = AdapterOption.Create();
        var prompt = new Option<string[]>("--prompt")
        {
            Description = "Beginnings that the model continues; without any, what comes on standard input is one.",
            HelpName = "text",
            AllowMultipleArgumentsPerToken = true,
        };
        var promptFile = new Option<string?>("--promptFile")
        {
            Description = "A file of prompts: one a line, or in a file *.jsonl the \"prompt\" of each line.",
            HelpName = "file",
        };
        GenerationSettings settings = GenerationSettings.ForPrompts().WithSearch();
        Option<int> batchSize = NumberOption.Create("batchSize", "Texts that are written side by side.", TextGenerator.DefaultBatchSize);
        Option<string> precision = PrecisionOption.Create();
        Option<string> device = DeviceOption.Create();
        var kernels = new KernelOption();
        var output = new Option<string?>("--output")
        {
            Description = "File for the texts, in place of standard output.",
            HelpName = "file",
        };
        var json = new Option<bool>("--json") { Description = "Write a JSON object for each text, one a line." };
        var command = new Command("generate", "Let a trained model continue texts.") { model, adapter, prompt, promptFile };
        settings.AddTo(command);
        foreach (Option option in new Option[] { batchSize, precision, device, output, json })
        {
            command.Add(option);
        }

        kernels.AddTo(command);
        command.SetAction(result =>
        {
            // What is wrong on the command line comes out before anything is loaded.
            settings.Apply(new GenerationOptions(), result);
            int texts = BenchCommand.AtLeastOne(batchSize, result.GetValue(batchSize));
            IReadOnlyList<string> prompts = Prompts(result.GetValue(prompt) ?? [], result.GetValue(promptFile));
            string folder = ModelFolder.Find(result.GetRequiredValue(model));
            using TextGenerator generator = TextGenerator.Load(folder, PrecisionOption.Find(result.GetRequiredValue(precision)),
                DeviceOption.Find(result.GetRequiredValue(device)), AdapterOption.Find(result.GetValue(adapter)), kernels.Read(result));
            WriteWarnings(generator, folder);
            GenerationOptions options = settings.Apply(generator.Options, result);
            using var interruption = new Interruption();
            try
            {
                if (prompts.Count == 1 && options.NumReturnSequences == 1 && !result.GetValue(json) && result.GetValue(output) is null)
                {
                    Stream(generator, prompts[0], options, interruption.Token);
                }
                else
                {
                    Write(generator, prompts, options, texts, result.GetValue(output), result.GetValue(json), interruption.Token);
                }

                return ExitCodes.Success;
            }
            catch (OperationCanceledException)
            {
                Console.WriteLine();
                return interruption.ExitCode;
            }
        });
        HelpPage.Describe(command, """
            ingot generate --model runs/jargon --prompt "hacker: n."
            ingot generate --model runs/jargon/checkpoints/step-00001000 --prompt "" --temperature 0.6 --maxNewTokens 500
            ingot generate --model runs/jargon --prompt "hacker: n." --repetitionPenalty 1.1 --stop ":" "See also"
            ingot generate --model runs/jargon --prompt "hacker: n." --numBeams 4 --maxNewTokens 40
            ingot generate --model runs/jargon --promptFile prompts.jsonl --json --output texts.jsonl
            echo "Once upon a time" | ingot generate --model runs/jargon
            """);
        return command;
    }

    /// <summary>Says what the model's generation_config.json asks for in vain.</summary>
    public static void WriteWarnings(TextGenerator generator, string folder)
    {
        foreach (string warning in generator.Warnings)
        {
            Console.Error.WriteLine($"warning: {Path.Combine(folder, GenerationConfig.FileName)}: {warning}");
        }
    }

    private static IReadOnlyList<string> Prompts(string[] given, string? file)
    {
        if (file is not null)
        {
            return given.Length == 0 ? PromptFile.Read(file)
                : throw new TrainingOptionsException(["--prompt and --promptFile cannot both be given"]);
        }

        return given.Length > 0 ? given : [Console.IsInputRedirected ? Console.In.ReadToEnd().TrimEnd('\r', '\n') : ""];
    }

    private static void Stream(TextGenerator generator, string prompt, GenerationOptions options, CancellationToken cancellationToken)
    {
        Console.Write(prompt);
        foreach (string piece in generator.Stream(prompt, options, cancellationToken))
        {
            Console.Write(piece);
        }

        Console.WriteLine();
    }

    private static void Write(TextGenerator generator, IReadOnlyList<string> prompts, GenerationOptions options, int batchSize,
        string? path,
        bool json, CancellationToken cancellationToken)
    {
        if (path is null)
        {
            WriteTo(Console.Out);
            return;
        }

        // Beside the name until all are there; what an interrupted run has written can be read.
        string partial = path + ".partial";
        using (var output = new StreamWriter(partial))
        {
            WriteTo(output);
        }

        File.Move(partial, path, overwrite: true);

        void WriteTo(TextWriter output)
        {
            var writer = new GeneratedTextWriter(output, prompts, options.NumReturnSequences, json);
            foreach (GeneratedText text in generator.Generate(prompts, options, batchSize, cancellationToken))
            {
                writer.Add(text);
            }
        }
    }
}
