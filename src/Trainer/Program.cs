using System.CommandLine;
using System.CommandLine.Parsing;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Trainer.Commands;
using Ingot.Training;

namespace Ingot.Trainer;

/// <summary>
/// The command line `ingot`: reads it, runs one command, and turns whatever goes wrong into one clear line and an exit code.
/// </summary>
internal static class Program
{
    public static int Main(string[] args)
    {
        // Prompts may begin with '@', which is no request to read a file.
        ParseResult result = CreateRoot().Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (result.Errors.Count > 0 || FindUnknown(result) is not null)
        {
            return ReportUsage(result);
        }

        KernelPlugins.Guard = PluginProbe.Try;
        try
        {
            return result.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
        }
        catch (Exception e)
        {
            return Report(e);
        }
    }

    private static RootCommand CreateRoot()
    {
        var root = new RootCommand("Ingot trains language models on native kernels.")
        {
            TrainCommand.Create(),
            GenerateCommand.Create(),
            TranslateCommand.Create(),
            SummarizeCommand.Create(),
            EvaluateCommand.Create(),
            ChatCommand.Create(),
            ClassifyCommand.Create(),
            EmbedCommand.Create(),
            ExplainCommand.Create(),
            DataCommand.Create(),
            TokenizerCommand.Create(),
            ImportCommand.Create(),
            ExportCommand.Create(),
            AdapterCommand.Create(),
            PlanCommand.Create(),
            BenchCommand.Create(),
            ProfileCommand.Create(),
            KernelsCommand.Create(),
            DoctorCommand.Create(),
        };
        root.HelpName = "ingot";
        HelpPage.Describe(root, """
            ingot doctor                                    is everything there?
            ingot train recipes/jargon.json                 train a small GPT on the Jargon File
            ingot generate --model runs/jargon --prompt "hacker"
            ingot train --help                              all options of a run
            """);
        HelpPage.AddTo(root);
        return root;
    }

    private static int ReportUsage(ParseResult result)
    {
        string name = HelpPage.NameOf(result.CommandResult);
        if (FindUnknown(result) is { } unknown)
        {
            Console.Error.WriteLine($"error: {DescribeUnknown(unknown, name, result.CommandResult.Command)}");
        }
        else
        {
            foreach (ParseError error in result.Errors)
            {
                Console.Error.WriteLine($"error: {error.Message}");
            }
        }

        Console.Error.WriteLine($"`{name} --help` shows how it is used.");
        return ExitCodes.Usage;
    }

    // The first word that means nothing; what follows it is probably its value. To the parser a misspelt option is an argument like any
    // other where the command takes one.
    private static string? FindUnknown(ParseResult result) =>
        result.CommandResult.Children.OfType<ArgumentResult>().SelectMany(argument => argument.Tokens).Select(token => token.Value)
            .Where(IsOption).Concat(result.UnmatchedTokens).FirstOrDefault();

    private static bool IsOption(string word) => word.StartsWith("--", StringComparison.Ordinal);

    private static string DescribeUnknown(string word, string name, Command command)
    {
        bool isOption = IsOption(word);
        IEnumerable<string> known = isOption
            ? command.Options.Select(option => option.Name)
            : command.Subcommands.Select(subcommand => subcommand.Name);
        string kind = isOption ? "option" : command.Subcommands.Count > 0 ? "command" : "place for";
        return $"{name} has no {kind} {word}{(NearestName.Find(word, known) is { } near ? $": did you mean {near}?" : "")}";
    }

    private static int Report(Exception e)
    {
        IReadOnlyList<string> problems = e switch
        {
            TrainingOptionsException options => options.Problems,
            _ when IsExpected(e) => [e.Message],
            _ => [$"{e.Message} ({e.GetType().Name}: a defect of Ingot; with INGOT_DEBUG=1 it says where)"],
        };
        foreach (string problem in problems)
        {
            Console.Error.WriteLine($"error: {problem}");
        }

        if (Environment.GetEnvironmentVariable("INGOT_DEBUG") == "1")
        {
            Console.Error.WriteLine(e);
        }

        return e is TrainingOptionsException ? ExitCodes.Usage : ExitCodes.Failure;
    }

    // What the library throws when data, a file, the machine or an argument is not as it must be; its messages are made for people.
    private static bool IsExpected(Exception e) =>
        e is TrainingException or IngotException or IOException or UnauthorizedAccessException or InvalidDataException
            or FormatException or ArgumentException
            or InsufficientMemoryException or OutOfMemoryException or NotSupportedException
        && e is not (ArgumentNullException or ArgumentOutOfRangeException);
}
