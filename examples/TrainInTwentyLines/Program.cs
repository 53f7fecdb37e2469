// Trains a small GPT on a text file and lets it write: TrainInTwentyLines [TEXT [STEPS]].
using Ingot.Generation;
using Ingot.Training;

var options = new TrainingOptions
{
    Model = "gpt2",
    NumHiddenLayers = 4,
    NumAttentionHeads = 4,
    HiddenSize = 128,
    SequenceLength = 128,
    Data = args.Length > 0 ? args[0] : "/usr/share/doc/jargon-text/jargon.txt.gz",
    VocabSize = 2048,
    MaxSteps = args.Length > 1 ? long.Parse(args[1]) : 300,
    LearningRate = 2e-3,
    OutputDir = "runs/twenty-lines",
    OverwriteOutputDir = true,
};
var result = Trainer.Run(options, new Lines());
using var generator = TextGenerator.Load(result.ModelDirectory);
foreach (var piece in generator.Stream("The ", new GenerationOptions { MaxNewTokens = 100 }))
    Console.Write(piece);
Console.WriteLine($"\nvalidation loss {result.EvalLoss:0.000}; the model is in {result.ModelDirectory}");

internal sealed class Lines : ITrainingObserver
{
    public void OnStep(in StepReport step) => Console.WriteLine($"step {step.Step}/{step.TotalSteps}  loss {step.Loss:0.000}");
}
