using System.CommandLine;
using Ingot.Evaluation;
using Ingot.Scoring;
using Ingot.Training;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot evaluate`: scores of texts against references, and of models on data.</summary>
internal static class EvaluateCommand
{
    private const string Name = "ingot evaluate";

    private static readonly (string FirstOption, string Title)[] Groups =
    [
        ("metric", "What is computed, and of what texts"),
        ("model", "What is computed of a model"),
        ("dataFormat", "Perplexity"),
        ("questionField", "Multiple choice"),
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
        var command = new Command("evaluate", "Score texts against references, or a model on data.") { recipe, json };
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
            ingot evaluate --metric perplexity --model runs/jargon --data held-out.txt --stride 256
            ingot evaluate --metric perplexity --model runs/dialogue --data chats.jsonl       of the answers
            ingot evaluate --metric multiple-choice --model runs/jargon --data arc.jsonl --output answers.jsonl
            """, output => RecipeOptions.WriteHelp<EvaluationOptions>(output, keys, Groups));
        return command;
    }

    private static int Run(EvaluationOptions options, bool json)
    {
        using var interruption = new Interruption();
        try
        {
            IReadOnlyList<EvaluationResult> results;
            string unit = options.Kind switch
            {
                EvaluationKind.Texts => "segments",
                EvaluationKind.MultipleChoice => "questions",
                _ => "bytes or examples",
            };
            using (var progress = new LineProgress((done, total) => $"{done:#,0} of {total:#,0} {unit}"))
            {
                results = options.Kind == EvaluationKind.Texts
                    ? EvaluationRun.Run(options, progress.Report, interruption.Token)
                    : ModelEvaluation.Run(options, warning => Console.Error.WriteLine($"warning: {warning}"), progress.Report,
                        interruption.Token);
            }

            if (json)
            {
                Text.WriteJson(writer => ScoreJson.Write(writer, results));
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
