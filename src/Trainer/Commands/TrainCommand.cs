using System.CommandLine;
using Ingot.Training;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot train`: a new run from a recipe, or an earlier run from where it stopped.</summary>
internal static class TrainCommand
{
    public static Command Create()
    {
        var recipe = new Argument<string?>("recipe") { Description = "The recipe, a JSON file.", Arity = ArgumentArity.ZeroOrOne };
        var resume = new Option<string?>("--resume") { Description = "Continue the run in this directory.", HelpName = "run" };
        var command = new Command("train", "Train a model from a recipe, or continue a run.") { recipe, resume };
        var options = new RecipeOptions(command);
        command.SetAction(result => Run(result.GetValue(recipe), result.GetValue(resume), [.. options.Read(result)]));
        HelpPage.Describe(command, """
            ingot train recipes/jargon.json
            ingot train recipes/shakespeare-char.json --data input.txt --outputDir runs/bard --maxSteps 500
            ingot train recipes/finetune-texts.json --model gpt2/   fine-tune a model's folder
            ingot train --model gpt2-124m --data texts/ --sequenceLength 512 --maxTime 3600
            ingot train --resume runs/bard                  go on where it stopped
            ingot train --resume runs/bard --maxSteps 4000  the same, and further than it was told
            """, RecipeOptions.WriteHelp);
        return command;
    }

    private static int Run(string? recipe, string? resume, KeyValuePair<string, string?>[] changes)
    {
        if (recipe is not null && resume is not null)
        {
            throw new TrainingOptionsException([$"--resume takes the run's own recipe: leave out {recipe}; options may be given"]);
        }

        using var interruption = new Interruption();
        using ConsoleView view = ConsoleView.Create();
        // Through the view, which knows where on the screen a line may go.
        interruption.Token.Register(() => view.Notice("Finishing the step, then saving. Once more stops at once, without saving."));
        try
        {
            TrainingResult result = resume is null
                ? Training.Trainer.Run(WithDirectory(Recipe.Load(recipe, changes)), view, interruption.Token)
                : Training.Trainer.Resume(resume, Change(resume, changes), view, interruption.Token);
            return result.Reason == StopReason.Interrupted ? interruption.ExitCode : ExitCodes.Success;
        }
        catch (OperationCanceledException) when (interruption.Token.IsCancellationRequested)
        {
            Console.Error.WriteLine("Stopped before the first step; there was nothing to save.");
            return interruption.ExitCode;
        }
    }

    // Without an outputDir a run gets runs/NAME, with a number behind it if an earlier run has that.
    private static TrainingOptions WithDirectory(TrainingOptions options)
    {
        string path = options.DefaultOutputDir();
        string free = path;
        for (int number = 2; !options.OverwriteOutputDir && Directory.Exists(free); number++)
        {
            free = $"{path}-{number}";
        }

        return options with { OutputDir = options.OutputDir ?? free };
    }

    // The run's own options with those of the command line over them; null when there are none of these.
    private static TrainingOptions? Change(string run, KeyValuePair<string, string?>[] changes) =>
        changes.Length == 0 || !Directory.Exists(run) ? null : Recipe.Load(Path.Combine(run, "config.json"), changes);
}
