using System.CommandLine;
using System.Text.Json;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Training;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot plan`: what a run takes in memory and work, before anything is allocated.</summary>
internal static class PlanCommand
{
    public static Command Create()
    {
        var recipe = new Argument<string?>("recipe") { Description = "The recipe, a JSON file.", Arity = ArgumentArity.ZeroOrOne };
        var json = new Option<bool>("--json") { Description = "Print one JSON object." };
        var command = new Command("plan", "Say what a run would take in memory and work, without running it.") { recipe, json };
        var options = new RecipeOptions(command);
        command.SetAction(result =>
        {
            TrainingOptions training = Recipe.Load(result.GetValue(recipe), options.Read(result), needsData: false);
            PlanReport plan = TrainingPlan.Make(training);
            if (result.GetValue(json))
            {
                WriteJson(plan);
            }
            else
            {
                WriteText(plan, training);
            }
        });
        HelpPage.Describe(command, """
            ingot plan recipes/jargon.json
            ingot plan recipes/jargon.json --perDeviceTrainBatchSize 32 --gradientCheckpointing block
            ingot plan --model gpt2-1.5b --precision bf16 --json
            """, RecipeOptions.WriteHelp);
        return command;
    }

    private static void WriteText(PlanReport plan, TrainingOptions training)
    {
        Console.WriteLine($"model        {training.Model}: {plan.Model.Layers} layers, width {plan.Model.Width}, vocabulary "
            + $"{plan.Model.VocabularySize:N0}");
        Console.WriteLine($"parameters   {plan.Parameters:N0}{(plan.TrainedParameters < plan.Parameters
            ? $", of which {plan.TrainedParameters:N0} are trained ({100.0 * plan.TrainedParameters / plan.Parameters:0.##} %)" : "")}");
        Console.WriteLine($"step         {plan.TokensPerStep:N0} tokens, {plan.FlopsPerStep / 1e9:N1} GFLOP, {plan.Calls:N0} kernel calls "
            + "a pass");
        Console.WriteLine("memory");
        Console.WriteLine($"  parameters {Text.Bytes(plan.ParameterBytes),12}");
        Console.WriteLine($"  gradients  {Text.Bytes(plan.GradientBytes),12}");
        Console.WriteLine($"  optimizer  {Text.Bytes(plan.OptimizerBytes),12}");
        Console.WriteLine($"  activations{Text.Bytes(plan.ActivationBytes),12}   ({Text.Bytes(plan.UnsharedActivationBytes)} if nothing "
            + "were shared)");
        Console.WriteLine($"  checkpoint {Text.Bytes(plan.SnapshotBytes),12}   (a copy, to write while training goes on)");
        Console.WriteLine($"  together   {Text.Bytes(plan.TotalBytes),12}");
        if (DeviceChoice.KindOf(training.Device) == DeviceKind.Cuda)
        {
            Console.WriteLine($"  on the GPU {Text.Bytes(plan.DeviceBytes),12}   (all but the checkpoint's copy, which the host keeps)");
        }

        if (plan.Kernels is { } kernels)
        {
            Console.WriteLine("kernels");
            foreach (PlannedKernel kernel in kernels)
            {
                Console.WriteLine($"  {$"{kernel.Op}={kernel.Kernel}",-32}{kernel.Calls,6:N0} calls {kernel.Flops / 1e9,12:N2} GFLOP "
                    + $"{kernel.Bytes / 1e6,12:N1} MB");
            }
        }
    }

    private static void WriteJson(PlanReport plan) => Text.WriteJson(writer =>
    {
        writer.WriteStartObject();
        writer.WriteNumber("parameters", plan.Parameters);
        writer.WriteNumber("trainedParameters", plan.TrainedParameters);
        writer.WriteNumber("tokensPerStep", plan.TokensPerStep);
        writer.WriteNumber("flopsPerStep", plan.FlopsPerStep);
        writer.WriteNumber("calls", plan.Calls);
        writer.WriteNumber("parameterBytes", plan.ParameterBytes);
        writer.WriteNumber("gradientBytes", plan.GradientBytes);
        writer.WriteNumber("optimizerBytes", plan.OptimizerBytes);
        writer.WriteNumber("activationBytes", plan.ActivationBytes);
        writer.WriteNumber("unsharedActivationBytes", plan.UnsharedActivationBytes);
        writer.WriteNumber("snapshotBytes", plan.SnapshotBytes);
        writer.WriteNumber("deviceBytes", plan.DeviceBytes);
        writer.WriteNumber("totalBytes", plan.TotalBytes);
        if (plan.Kernels is { } kernels)
        {
            writer.WriteStartArray("kernels");
            foreach (PlannedKernel kernel in kernels)
            {
                writer.WriteStartObject();
                writer.WriteString("op", kernel.Op);
                writer.WriteString("kernel", kernel.Kernel);
                writer.WriteNumber("calls", kernel.Calls);
                writer.WriteNumber("flops", kernel.Flops);
                writer.WriteNumber("bytes", kernel.Bytes);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        }

        writer.WriteEndObject();
    });
}
