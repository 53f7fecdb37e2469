using System.CommandLine;
using System.Text.Json;
using Ingot.Evaluation;
using Ingot.Training;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot evaluate`: scores of texts against references.</summary>
internal static class EvaluateCommand
{
    private const string Name = "ingot evaluate";

    private static readonly (string FirstOption, string Title)[] Groups =
    [
        ("metric", "What is computed, and of what"),
        ("confidence", "Chance"),
        ("tokenize", "BLEU"),
        ("chrfCharOrder", "chrF"),
        ("terNormalized", "TER"),
        ("useStemmer", "ROUGE, METEOR, F1"),
        ("decimals", "What is printed"),
    ];

    public static Command Create()
    {
        var recipe = new Argument<string?>("recipe") { Description = "A JSON file of the options below.", Arity = ArgumentArity.ZeroOrOne };
        var json = new Option<bool>("--json") { Description = "Print the scores as JSON." };
        var command = new Command("evaluate", "Score texts against references.") { recipe, json };
        IReadOnlyList<OptionKey> keys = OptionKey.Of<EvaluationOptions>();
        var options = new RecipeOptions(command, keys, "");
        command.SetAction(result => Run(
            Recipe.Load<EvaluationOptions>(result.GetValue(recipe), options.Read(result), read => read.Validate(), Name),
            result.GetValue(json)));
        HelpPage.Describe(command, """
            ingot evaluate --metric bleu chrf++ --hypotheses output.de --references reference.de
            ingot evaluate --metric bleu --tokenize zh --hypotheses output.zh --references a.zh b.zh --confidence
            ingot evaluate --metric bleu --hypotheses old.de --references reference.de --compare new.de     is new.de better?
            ingot evaluate --metric bleu --hypotheses texts.jsonl --references data.jsonl --referenceField completion --json
            """, output => RecipeOptions.WriteHelp<EvaluationOptions>(output, keys, Groups));
        return command;
    }

    private static int Run(EvaluationOptions options, bool json)
    {
        using var interruption = new Interruption();
        try
        {
            IReadOnlyList<EvaluationResult> results;
            using (var progress = new LineProgress((done, total) => $"{done:#,0} of {total:#,0} segments"))
            {
                results = EvaluationRun.Run(options, progress.Report, interruption.Token);
            }

            if (json)
            {
                Text.WriteJson(writer => ScoreWriter.WriteJson(writer, results));
            }
            else
            {
                ScoreWriter.Write(Console.Out, results, options.Decimals);
            }

            return ExitCodes.Success;
        }
        catch (OperationCanceledException) when (interruption.Token.IsCancellationRequested)
        {
            return interruption.ExitCode;
        }
    }
}
