using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using Ingot.Bindings;
using Ingot.Trainer.Commands;
using Ingot.Training;

namespace Ingot.Trainer;

/// <summary>The command line `ingot`: reads it, runs one command, and turns whatever goes wrong into one clear line and an exit code.</summary>
internal static class Program
{
    // How the parser's message about a word that it does not know begins.
    private const string Unrecognized = "Unrecognized";

    public static int Main(string[] args)
    {
        // Prompts may begin with '@', which is no request to read a file.
        ParseResult result = CreateRoot().Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (result.Errors.Count > 0 && result.Action is not HelpAction)
        {
            return ReportUsage(result);
        }

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
            GenerateCommand.Create(),
            PlanCommand.Create(),
            BenchCommand.Create(),
            KernelsCommand.Create(),
            DoctorCommand.Create(),
        };
        root.HelpName = "ingot";
        HelpPage.AddTo(root);
        return root;
    }

    private static int ReportUsage(ParseResult result)
    {
        // Of a misspelt command it would also say that there was none.
        Command command = result.CommandResult.Command;
        foreach (ParseError error in result.UnmatchedTokens.Count > 0 ? result.Errors.Where(IsUnrecognized) : result.Errors)
        {
            Console.Error.WriteLine($"error: {error.Message}{Suggest(error.Message, command)}");
        }

        Console.Error.WriteLine($"`{HelpPage.NameOf(result.CommandResult)} --help` shows how it is used.");
        return ExitCodes.Usage;
    }

    // The parser quotes the word that it does not know.
    private static string Suggest(string message, Command command)
    {
        string[] parts = message.Split('\'');
        if (parts.Length < 3 || !message.StartsWith(Unrecognized, StringComparison.Ordinal))
        {
            return "";
        }

        IEnumerable<string> known = parts[1].StartsWith('-')
            ? command.Options.Select(option => option.Name)
            : command.Subcommands.Select(subcommand => subcommand.Name);
        return NearestName.Find(parts[1], known) is { } near ? $" Did you mean {near}?" : "";
    }

    private static bool IsUnrecognized(ParseError error) => error.Message.StartsWith(Unrecognized, StringComparison.Ordinal);

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
        e is IngotException or IOException or UnauthorizedAccessException or InvalidDataException or FormatException or ArgumentException
            or InsufficientMemoryException or OutOfMemoryException or NotSupportedException
        && e is not (ArgumentNullException or ArgumentOutOfRangeException);
}
