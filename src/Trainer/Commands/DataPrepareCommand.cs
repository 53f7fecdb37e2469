using System.CommandLine;
using Ingot.Data.Preparation;
using Ingot.Data.Preparation.Cleaning;
using Ingot.Training;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot data prepare`: cleaned text of raw files, or the rest of what was interrupted.</summary>
internal static class DataPrepareCommand
{
    private const string Name = "ingot data prepare";

    private static readonly (string FirstOption, string Title)[] Groups =
    [
        ("output", "Where"),
        ("format", "What is read"),
        ("ruleSet", "What is done with it"),
        ("validationFraction", "What is written"),
        ("threads", "How to compute"),
    ];

    public static Command Create()
    {
        var input = new Argument<string[]>("input")
        {
            Description = "Files, folders and patterns: text, JSON Lines, CSV, TSV, Parquet, each also packed by gzip.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var recipe = new Option<string?>("--recipe") { Description = "A JSON file of the options below.", HelpName = "file" };
        var command = new Command("prepare", "Clean text, leave out what repeats, and write it in shards to train on.") { input, recipe };
        OptionKey[] keys = [.. OptionKey.Of<PreparationOptions>().Where(key => key.PropertyName != nameof(PreparationOptions.Input))];
        var options = new RecipeOptions(command, keys, "minWords=20");
        command.SetAction(result => Run(result.GetValue(recipe), result.GetValue(input) ?? [], options.Read(result)));
        HelpPage.Describe(command, """
            ingot data prepare books/ --output data/books
            ingot data prepare "crawl/**/*.jsonl.gz" --output data/crawl --ruleSet web --validationFraction 0.01
            ingot data prepare news.csv --output data/news --textFields title body --rules minWords=20 emails=off
            ingot data prepare papers.parquet --output data/papers --textFields abstract --keepFields id --decontaminate eval.jsonl
            ingot train --model gpt2-124m --data data/books     train on it
            """, output => RecipeOptions.WriteHelp<PreparationOptions>(output, keys, Groups));
        return command;
    }

    private static int Run(string? recipe, string[] input, IEnumerable<KeyValuePair<string, string?>> changes)
    {
        changes = changes.Concat(input.Select((path, i) => KeyValuePair.Create($"input:{i}", (string?)path)));
        var options = Recipe.Load<PreparationOptions>(recipe, changes, read => read.Validate(), Name);
        using var interruption = new Interruption();
        using var view = PreparationView.Create(options.Output!);
        try
        {
            var report = DataPreparation.Run(options, view, interruption.Token);
            view.End(report);
            return report.Documents > 0 ? ExitCodes.Success : ReportEmpty(report);
        }
        catch (OperationCanceledException) when (interruption.Token.IsCancellationRequested)
        {
            view.Stop();
            return interruption.ExitCode;
        }
    }

    private static int ReportEmpty(PreparationReport report)
    {
        var most = report.Rules.MaxBy(rule => rule.Tally.DocumentsRemoved);
        Console.Error.WriteLine(most is { Tally.DocumentsRemoved: > 0 }
            ? $"error: no document is left; {most.Name} removed {most.Tally.DocumentsRemoved:#,0} of {report.Records:#,0}. The report "
                + "shows examples."
            : "error: there was no document in the input");
        return ExitCodes.Failure;
    }
}
